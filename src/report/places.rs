//! Frames of several captures in words: rules know a frame by one number, and say it as such; which capture it is of is said here.

use super::{Capture, Place};

/// What texts call each capture, with how many frames it has; nothing where there is one alone.
pub(super) fn labels(captures: &[Capture]) -> Vec<(String, u64)> {
    let names: Vec<&str> = captures.iter().map(Capture::name).collect();
    let telling = |name: &str| {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+@".contains(c));
        plain && name.len() > 1 && names.iter().filter(|other| **other == name).count() == 1
    };
    let label =
        |(index, &name): (usize, &&str)| if telling(name) { name.to_owned() } else { format!("capture {index}") };
    names.iter().enumerate().map(label).zip(captures.iter().map(|capture| capture.frames)).collect()
}

/// Puts `12 of client.pcapng` for each number that means a frame of one of several captures, and `client.pcapng` for one that means the capture
/// as such. What stands in quotation marks is from the packets and
/// is left alone.
pub(super) fn tell(text: &mut String, labels: &[(String, u64)]) {
    const LEAST: usize = 13;
    let long = |c: char| c.is_ascii_digit();
    if !text.as_bytes().windows(LEAST).any(|digits| digits.iter().all(u8::is_ascii_digit)) {
        return;
    }
    let (mut told, mut quoted, mut rest) = (String::with_capacity(text.len()), false, text.as_str());
    let mut last: Option<(usize, usize, &str)> = None;
    while let Some(c) = rest.chars().next() {
        let end = if long(c) { rest.find(|c: char| !long(c)).unwrap_or(rest.len()) } else { c.len_utf8() };
        let (token, after) = rest.split_at(end);
        // a quotation mark that is part of a name is escaped there, and so is a backslash
        let backslashes = told.bytes().rev().take_while(|&byte| byte == b'\\').count();
        quoted ^= token == "\"" && backslashes % 2 == 0;
        match place(token, labels).filter(|_| !quoted) {
            Some((0, label)) => told.push_str(label),
            Some((frame, label)) => {
                // of several frames of one capture in a row the last one says which
                if let Some((start, end, _)) = last.filter(|(_, _, known)| *known == label)
                    && matches!(told.get(end..), Some(", " | " and "))
                {
                    told.replace_range(start..end, "");
                }
                told.push_str(&frame.to_string());
                let start = told.len();
                told.push_str(" of ");
                told.push_str(label);
                last = Some((start, told.len(), label));
            }
            None => told.push_str(token),
        }
        rest = after;
    }
    *text = told;
}

/// The frame, 0 for the capture as such, and its capture.
fn place<'l>(token: &str, labels: &'l [(String, u64)]) -> Option<(u64, &'l str)> {
    let number: u64 = token.parse().ok()?;
    let place = Place::of(u32::MAX, number);
    let (label, frames) = labels.get(place.capture as usize)?;
    (place.frame <= *frames).then_some((place.frame, label.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_several_captures_is_told_with_its_capture() {
        let labels = [("client.pcapng".to_owned(), 20), ("server.pcapng".to_owned(), 20)];
        let mut text =
            format!("frames {} and {}: \"{}\"", Place::joined(1, 0, 3), Place::joined(9, 1, 4), Place::joined(1, 0, 5));
        let quoted = Place::joined(1, 0, 5);
        tell(&mut text, &labels);
        assert_eq!(text, format!("frames 3 of client.pcapng and 4 of server.pcapng: \"{quoted}\""));
        let mut row = [4, 5, 6].map(|frame| Place::joined(2, 0, frame).to_string()).join(", ");
        row += &format!(" and {} of {}", Place::joined(2, 1, 9), Place::joined(1, 1, 0));
        tell(&mut row, &labels);
        assert_eq!(row, "4, 5, 6 of client.pcapng and 9 of server.pcapng of server.pcapng");
        let mut named = format!("{:?}, frame {}, {:?}", "EXAMPLE\\", Place::joined(1, 0, 3), "a\"b");
        tell(&mut named, &labels);
        assert_eq!(named, r#""EXAMPLE\\", frame 3 of client.pcapng, "a\"b""#);
        let mut other = "1714564800123456789 bytes in frame 7".to_owned();
        tell(&mut other, &labels);
        assert_eq!(other, "1714564800123456789 bytes in frame 7");
    }

    #[test]
    fn captures_are_called_by_their_names_where_these_tell_them_apart() {
        let of = |path: &str| Capture { path: path.to_owned(), frames: 1, ..Capture::default() };
        let called = |captures: &[Capture]| labels(captures).into_iter().map(|(label, _)| label).collect::<Vec<_>>();
        assert_eq!(called(&[of("/tmp/a/client.pcapng"), of("server.pcapng")]), ["client.pcapng", "server.pcapng"]);
        assert_eq!(called(&[of("a/x.pcap"), of("b/x.pcap"), of("-")]), ["capture 0", "capture 1", "capture 2"]);
    }
}
