import hashlib, hmac, os, re, sys, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = (os.environ["WEBHOOK_SECRET"] or sys.exit("no secret")).encode()  # whsec_ included
INBOX = os.environ["WEBHOOK_INBOX"]  # a directory; better, a table with webhook-id as its key
os.makedirs(INBOX, exist_ok=True)

def receive(headers, body):
    signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), headers.get("X-Webhook-Signature", "").encode()):
        return 401, "bad signature"
    sent_at = headers.get("X-Webhook-Timestamp", "")
    if not re.fullmatch("[0-9]{1,12}", sent_at) or abs(time.time() - int(sent_at)) > 300:
        return 401, "stale timestamp"
    event_id = headers.get("webhook-id", "")
    if not re.fullmatch("evt_[A-Za-z0-9_]{1,64}", event_id):
        return 400, "no webhook-id"
    file = f"{INBOX}/{event_id}.json"
    if os.path.exists(file):
        return 200, "duplicate"
    part = f"{file}.{uuid.uuid4()}"
    with open(part, "wb") as inbox:
        inbox.write(body)
    os.rename(part, file)  # kept whole or not at all; work on it after the answer
    return 200, "stored"

class Receiver(BaseHTTPRequestHandler):
    timeout = 30

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        status, text = receive(self.headers, self.rfile.read(max(0, min(length, 1 << 20))))  # raw
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()
