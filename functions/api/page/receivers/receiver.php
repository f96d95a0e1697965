<?php
function answer(int $status, string $text) {
    http_response_code($status);
    exit($text);
}

$secret = getenv('WEBHOOK_SECRET') ?: answer(500, 'no secret'); // all of it, whsec_ included
$inbox = getenv('WEBHOOK_INBOX'); // a directory; better, a table with webhook-id as its key
is_dir($inbox) || mkdir($inbox, 0700, true);
$body = file_get_contents('php://input', false, null, 0, 1 << 20); // the raw bytes, not yet parsed
$signature = 'sha256=' . hash_hmac('sha256', $body, $secret);
if (!hash_equals($signature, $_SERVER['HTTP_X_WEBHOOK_SIGNATURE'] ?? '')) {
    answer(401, 'bad signature');
}
$sentAt = $_SERVER['HTTP_X_WEBHOOK_TIMESTAMP'] ?? '';
if (!preg_match('/^[0-9]{1,12}$/D', $sentAt) || abs(time() - (int) $sentAt) > 300) {
    answer(401, 'stale timestamp');
}
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
if (!preg_match('/^evt_[A-Za-z0-9_]{1,64}$/D', $id)) {
    answer(400, 'no webhook-id');
}
$file = "$inbox/$id.json";
if (file_exists($file)) {
    answer(200, 'duplicate');
}
$part = $file . '.' . bin2hex(random_bytes(16));
if (file_put_contents($part, $body) !== strlen($body) || !rename($part, $file)) {
    answer(500, 'not stored'); // will be sent again
}
answer(200, 'stored'); // kept whole or not at all; work on it after the answer
