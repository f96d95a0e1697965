//! How much of an answer is read, and how it becomes text.

use domain::limits::{RESPONSE_BODY_BYTES, RESPONSE_BODY_READ_BYTES};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Reads until enough was read or the answer ends. What did arrive is in `kept` even if reading
/// fails or is given up; what was received beyond the limit is dropped at once.
pub(super) async fn read(body: &mut Incoming, kept: &mut Vec<u8>) -> Result<(), hyper::Error> {
    while kept.len() < RESPONSE_BODY_READ_BYTES {
        let Some(frame) = body.frame().await.transpose()? else {
            break;
        };
        let Some(chunk) = frame.data_ref() else {
            continue;
        };
        let room = RESPONSE_BODY_READ_BYTES - kept.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(())
}

/// What is kept on record: the first 1,024 bytes, an incomplete last character dropped, then
/// decoded lossily. `None` if nothing arrived.
pub(super) fn text(received: &[u8]) -> Option<String> {
    let kept = &received[..received.len().min(RESPONSE_BODY_BYTES)];
    let text = String::from_utf8_lossy(without_incomplete_end(kept));
    (!kept.is_empty()).then(|| text.into_owned())
}

fn without_incomplete_end(bytes: &[u8]) -> &[u8] {
    // The beginning of a character is at most 3 bytes long.
    let last = bytes.len().saturating_sub(3)..bytes.len();
    let incomplete = |start: &usize| {
        std::str::from_utf8(&bytes[*start..])
            .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
    };
    let end = last.into_iter().find(incomplete).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(received: &[u8], expected: Option<&str>) {
        assert_eq!(text(received).as_deref(), expected);
    }

    #[test]
    fn short_answers() {
        check(b"", None);
        check(b"ok", Some("ok"));
        check("é".as_bytes(), Some("é"));
        check(b"\xff\xfeok", Some("\u{fffd}\u{fffd}ok"));
        check(b"a\xff", Some("a\u{fffd}"));
    }

    #[test]
    fn an_incomplete_last_character_is_dropped() {
        for (character, most) in [("é", 1), ("€", 2), ("🦀", 3)] {
            for cut in 1..=most {
                let mut received = b"ab".to_vec();
                received.extend_from_slice(&character.as_bytes()[..cut]);
                check(&received, Some("ab"));
            }
        }
        let mut received = vec![b'x'; RESPONSE_BODY_BYTES - 1];
        received.extend_from_slice("é".as_bytes());
        check(&received, Some(&"x".repeat(RESPONSE_BODY_BYTES - 1)));
        check(&[b'x'; 1_025], Some(&"x".repeat(1_024)));
    }
}
