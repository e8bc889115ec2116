//! The forms that a password takes by the mishaps of [`Slip`].

use super::prepare;
use super::slip::Slip;
use base64ct::{Base64, Base64Url, Encoding as _};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Bytes of a secret, wiped when they go.
pub(super) type Form = Zeroizing<Vec<u8>>;

/// A password of more bytes than this is not taken apart.
const LONGEST: usize = 1024;

/// Calls `each` with every form that a password may have taken, the likelier first, until it says that it has enough.
pub(super) fn all(password: &[u8], mut each: impl FnMut(Slip, &[u8]) -> bool) {
    if password.len() > LONGEST {
        return;
    }
    let mut tell = |slip: Slip, form: &[u8]| form != password && each(slip, form);
    for slip in Slip::ALL {
        let mut done = false;
        if let Some(form) = simple(*slip, password) {
            done = tell(*slip, &form);
        } else {
            several(*slip, password, |form| {
                done = done || tell(*slip, form);
                done
            });
        }
        if done {
            return;
        }
    }
}

fn joined(parts: &[&[u8]]) -> Form {
    let mut form = Form::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| form.extend_from_slice(part));
    form
}

fn mapped(password: &[u8], change: impl Fn(u8) -> u8) -> Form {
    Form::new(password.iter().map(|&byte| change(byte)).collect())
}

/// The form of a mishap that has one.
fn simple(slip: Slip, password: &[u8]) -> Option<Form> {
    let swap_case =
        |byte: u8| if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
    Some(match slip {
        Slip::TrailingCarriageReturn => joined(&[password, b"\r"]),
        Slip::TrailingBlank => joined(&[password, b" "]),
        Slip::TrailingTab => joined(&[password, b"\t"]),
        Slip::TrailingNul => joined(&[password, b"\0"]),
        Slip::LeadingBlank => joined(&[b" ", password]),
        Slip::LeadingNewline => joined(&[b"\n", password]),
        Slip::LeadingMark => joined(&[b"\xef\xbb\xbf", password]),
        Slip::SurroundingBlanks => joined(&[b" ", password, b" "]),
        Slip::CaseSwapped => mapped(password, swap_case),
        Slip::FirstLetter => match password.split_first() {
            Some((&first, rest)) => joined(&[&[swap_case(first)], rest]),
            None => return None,
        },
        Slip::Expanded => expanded(password),
        Slip::BackslashesTaken => backslashes_taken(password),
        Slip::Empty => Form::default(),
        Slip::Doubled => joined(&[password, password]),
        Slip::HexDecoded => Form::new(super::unhex(std::str::from_utf8(password).ok()?)?),
        Slip::Latin1 => {
            let text = std::str::from_utf8(password).ok()?;
            Form::new(text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>()?)
        }
        Slip::Utf8Twice => Form::new(password.iter().map(|&byte| char::from(byte)).collect::<String>().into_bytes()),
        Slip::LettersExchanged => mapped(password, |byte| match byte {
            b'y' => b'z',
            b'z' => b'y',
            b'Y' => b'Z',
            b'Z' => b'Y',
            _ => byte,
        }),
        _ => return None,
    })
}

/// The forms of a mishap that has several.
fn several(slip: Slip, password: &[u8], mut each: impl FnMut(&[u8]) -> bool) {
    let mut any = |forms: &[Form]| {
        let _ = forms.iter().any(|form| each(form));
    };
    match slip {
        Slip::TrailingNewline => any(&[joined(&[password, b"\n"]), joined(&[password, b"\r\n"])]),
        Slip::Trimmed => any(&[
            Form::new(password.trim_ascii().to_vec()),
            Form::new(password.trim_ascii_end().to_vec()),
            Form::new(password.trim_ascii_start().to_vec()),
            Form::new(password.strip_suffix(b"\n").unwrap_or(password).to_vec()),
            Form::new(password.strip_prefix(b"\xef\xbb\xbf").unwrap_or(password).to_vec()),
        ]),
        Slip::Quoted => any(&[b"\"", b"'", b"`"].map(|mark| joined(&[mark.as_slice(), password, mark.as_slice()]))),
        Slip::Unquoted => any(&[Form::new(match password {
            [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] | [b'`', inner @ .., b'`'] => inner.to_vec(),
            _ => password.to_vec(),
        })]),
        Slip::Lower | Slip::Upper => {
            let ascii = mapped(password, |byte| {
                if slip == Slip::Lower { byte.to_ascii_lowercase() } else { byte.to_ascii_uppercase() }
            });
            let text = std::str::from_utf8(password).unwrap_or_default();
            let whole = if slip == Slip::Lower { text.to_lowercase() } else { text.to_uppercase() };
            any(&[ascii, Form::new(whole.into_bytes())]);
        }
        Slip::PercentDecoded => any(&[percent_decoded(password, false), percent_decoded(password, true)]),
        Slip::PercentEncoded => percent_encoded(password, &mut any),
        Slip::DollarDoubled => any(&[replaced(password, b"$", b"$$"), replaced(password, b"$$", b"$")]),
        Slip::BackslashesAdded => any(&[
            escaped(password, |byte| matches!(byte, b'\\' | b'"')),
            escaped(password, |byte| matches!(byte, b'\\' | b'"' | b'$' | b'`')),
            escaped(password, |byte| matches!(byte, b'\\' | b'\'')),
            escaped(password, |byte| !byte.is_ascii_alphanumeric() && byte != b'_'),
        ]),
        Slip::EntitiesDecoded => any(&[entities(password, true)]),
        Slip::EntitiesEncoded => {
            let short = entities(password, false);
            let text = [replaced(password, b"&", b"&amp;")];
            any(&[short]);
            any(&text);
        }
        Slip::CutAtCharacter => {
            for (at, _) in password.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_alphanumeric()).take(16) {
                any(&[Form::new(password.get(..at).unwrap_or_default().to_vec())]);
                any(&[Form::new(password.get(at + 1..).unwrap_or_default().to_vec())]);
            }
        }
        Slip::CutShort => {
            for length in (1..password.len()).rev().take(256) {
                any(&[Form::new(password.get(..length).unwrap_or_default().to_vec())]);
            }
        }
        Slip::Base64 | Slip::Base64Url => {
            let encoded = encoded(password, slip == Slip::Base64Url);
            let bare: Vec<u8> = encoded.iter().copied().filter(|&byte| byte != b'=').collect();
            // what `echo secret | base64` makes of it
            let line = self::encoded(&joined(&[password, b"\n"]), slip == Slip::Base64Url);
            any(&[encoded, Form::new(bare), line]);
        }
        Slip::Base64Decoded | Slip::Base64UrlDecoded => {
            if let Some(decoded) = decoded(password, slip == Slip::Base64UrlDecoded) {
                let line = Form::new(decoded.strip_suffix(b"\n").unwrap_or(&decoded).to_vec());
                any(&[decoded, line]);
            }
        }
        Slip::Base64Spelling => {
            let bytes = [false, true].into_iter().find_map(|url| decoded(password, url)).unwrap_or_default();
            for spelled in [encoded(&bytes, false), encoded(&bytes, true)].iter().filter(|_| !bytes.is_empty()) {
                let bare = spelled.iter().copied().filter(|&byte| byte != b'=').collect();
                any(&[spelled.clone(), Form::new(bare)]);
            }
        }
        Slip::Hex => any(&[hex(password, b"0123456789abcdef"), hex(password, b"0123456789ABCDEF")]),
        Slip::Utf16 => {
            let units: Vec<u16> = std::str::from_utf8(password).unwrap_or_default().encode_utf16().collect();
            let little = Form::new(units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
            let big = Form::new(units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
            if !units.is_empty() {
                any(&[little, big]);
            }
        }
        Slip::Composed => {
            let text = std::str::from_utf8(password).unwrap_or_default();
            if !prepare::is_plain(password) && !text.is_empty() {
                let forms = [
                    text.nfc().collect::<String>(),
                    text.nfd().collect(),
                    text.nfkc().collect(),
                    text.nfkd().collect(),
                ];
                any(&forms.map(|form| Form::new(form.into_bytes())));
            }
        }
        _ => {}
    }
}

/// What a shell leaves of a text in double quotes: names after `$` are of variables that are not set.
fn expanded(password: &[u8]) -> Form {
    let mut form = Form::default();
    let mut rest = password;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'$' {
            form.push(byte);
            continue;
        }
        let name =
            |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let taken = match after {
            [b'{', ..] => after.iter().position(|&byte| byte == b'}').map(|at| at + 1),
            [b'(', ..] => after.iter().position(|&byte| byte == b')').map(|at| at + 1),
            [b'0'..=b'9' | b'@' | b'*' | b'!' | b'-', ..] => Some(1),
            [b'a'..=b'z' | b'A'..=b'Z' | b'_', ..] => Some(name(after)),
            _ => None,
        };
        match taken.and_then(|taken| after.get(taken..)) {
            Some(left) => rest = left,
            None => form.push(byte),
        }
    }
    form
}

fn backslashes_taken(password: &[u8]) -> Form {
    let mut form = Form::default();
    let mut bytes = password.iter().copied();
    while let Some(byte) = bytes.next() {
        form.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
    }
    form
}

fn escaped(password: &[u8], special: impl Fn(u8) -> bool) -> Form {
    let mut form = Form::default();
    for &byte in password {
        if special(byte) {
            form.push(b'\\');
        }
        form.push(byte);
    }
    form
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Form {
    let mut form = Form::default();
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                form.extend_from_slice(to);
                rest = after;
            }
            None => {
                form.push(byte);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    form
}

/// The five entities that XML knows by name.
const ENTITIES: [(&[u8], &[u8]); 5] =
    [(b"<", b"&lt;"), (b">", b"&gt;"), (b"\"", b"&quot;"), (b"'", b"&apos;"), (b"&", b"&amp;")];

fn entities(password: &[u8], decode: bool) -> Form {
    let mut form = Form::new(password.to_vec());
    if decode {
        for (character, entity) in ENTITIES {
            form = replaced(&form, entity, character);
        }
        return form;
    }
    for (character, entity) in ENTITIES.iter().rev() {
        form = replaced(&form, character, entity);
    }
    form
}

/// RFC 3986 §2.1; `plus`: as forms do, where a plus is a blank.
pub(super) fn percent_decoded(text: &[u8], plus: bool) -> Form {
    let mut form = Form::default();
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        let value = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| byte == b'%');
        match value {
            Some(value) => {
                form.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                form.push(if plus && byte == b'+' { b' ' } else { byte });
                rest = after;
            }
        }
    }
    form
}

fn percent_encoded(text: &[u8], any: &mut impl FnMut(&[Form])) {
    // what RFC 3986 leaves, what encodeURIComponent leaves, what encodeURI leaves
    for left in [b"-._~".as_slice(), b"-_.!~*'()", b"-_.!~*'();/?:@&=+$,#"] {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            for blank in [b"%20".as_slice(), b"+"] {
                let mut form = Form::default();
                for &byte in text {
                    if byte.is_ascii_alphanumeric() || left.contains(&byte) {
                        form.push(byte);
                    } else if byte == b' ' {
                        form.extend_from_slice(blank);
                    } else {
                        form.push(b'%');
                        form.extend_from_slice(&hex(&[byte], digits));
                    }
                }
                any(&[form]);
            }
        }
    }
}

/// The likely URL-encoding of a name: that of RFC 3986.
pub(super) fn percent_encoded_plainly(text: &[u8]) -> Form {
    let mut first = None;
    percent_encoded(text, &mut |forms| {
        if let (None, Some(form)) = (&first, forms.first()) {
            first = Some(form.clone());
        }
    });
    first.unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8], digits: &[u8; 16]) -> Form {
    let digit = |nibble: u8| digits.get(usize::from(nibble)).copied().unwrap_or(b'0');
    Form::new(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

/// RFC 4648 §4 or §5, with padding.
pub(super) fn encoded(bytes: &[u8], url: bool) -> Form {
    let text = if url { Base64Url::encode_string(bytes) } else { Base64::encode_string(bytes) };
    Form::new(text.into_bytes())
}

/// The same backwards, with padding or without it.
fn decoded(text: &[u8], url: bool) -> Option<Form> {
    let text = text.trim_ascii();
    let digits = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    let (digits, padding) = text.split_at_checked(digits)?;
    if digits.len() % 4 == 1 || padding.len() > 2 || padding.iter().any(|&byte| byte != b'=') {
        return None;
    }
    let mut form = Form::default();
    let (mut word, mut bits) = (0u32, 0u32);
    for &digit in digits {
        let value = match (digit, url) {
            (b'A'..=b'Z', _) => digit - b'A',
            (b'a'..=b'z', _) => digit - b'a' + 26,
            (b'0'..=b'9', _) => digit - b'0' + 52,
            (b'+', false) | (b'-', true) => 62,
            (b'/', false) | (b'_', true) => 63,
            _ => return None,
        };
        (word, bits) = (word << 6 | u32::from(value), bits + 6);
        if bits >= 8 {
            bits -= 8;
            form.push(u8::try_from((word >> bits) & 0xff).unwrap_or_default());
        }
        word &= 0xfff;
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(slip: Slip, password: &str) -> Vec<String> {
        let mut found = Vec::new();
        all(password.as_bytes(), |kind, form| {
            if kind == slip {
                found.push(String::from_utf8_lossy(form).into_owned());
            }
            false
        });
        found
    }

    #[test]
    fn every_mishap_makes_of_a_password_what_it_does_in_the_field() {
        for (slip, password, form) in [
            (Slip::TrailingNewline, "cisco", "cisco\n"),
            (Slip::TrailingNewline, "cisco", "cisco\r\n"),
            (Slip::Trimmed, " cisco ", "cisco"),
            (Slip::Quoted, "cisco", "\"cisco\""),
            (Slip::Unquoted, "'cisco'", "cisco"),
            (Slip::CaseSwapped, "Cisco", "cISCO"),
            (Slip::FirstLetter, "cisco", "Cisco"),
            (Slip::PercentDecoded, "a%2Bb%26", "a+b&"),
            (Slip::PercentDecoded, "a+b", "a b"),
            (Slip::PercentEncoded, "a&b c", "a%26b%20c"),
            (Slip::PercentEncoded, "a&b c", "a%26b+c"),
            (Slip::Expanded, "pa$$word", "pa$"),
            (Slip::Expanded, "pa$word!", "pa!"),
            (Slip::Expanded, "a${b}c$1d", "acd"),
            (Slip::DollarDoubled, "a$b", "a$$b"),
            (Slip::DollarDoubled, "a$$b", "a$b"),
            (Slip::BackslashesTaken, "a\\b", "ab"),
            (Slip::BackslashesAdded, "a\"b", "a\\\"b"),
            (Slip::EntitiesEncoded, "a<b&c", "a&lt;b&amp;c"),
            (Slip::EntitiesDecoded, "a&amp;lt;", "a&lt;"),
            (Slip::CutAtCharacter, "blue#42", "blue"),
            (Slip::CutShort, "abcdef", "abcde"),
            (Slip::Base64, "north", "bm9ydGg="),
            (Slip::Base64Decoded, "bm9ydGg", "north"),
            (Slip::Base64Spelling, "a+/b", "a-_b"),
            (Slip::Base64Spelling, "bm9ydGg=", "bm9ydGg"),
            (Slip::Hex, "north", "6e6f727468"),
            (Slip::HexDecoded, "6e6f727468", "north"),
            (Slip::LettersExchanged, "lazy", "layz"),
        ] {
            let made = form_of(slip, password);
            assert!(made.contains(&form.to_owned()), "{slip:?} of {password:?}: {made:?} lacks {form:?}");
        }
    }

    #[test]
    fn a_form_that_is_the_password_itself_is_no_mishap() {
        all(b"plainword7", |slip, form| {
            assert_ne!(form, b"plainword7", "{slip:?}");
            false
        });
    }

    #[test]
    fn hostile_passwords_take_bounded_time() {
        for byte in 0..=255u8 {
            let mut count = 0;
            all(&[byte; 600], |_, _| {
                count += 1;
                false
            });
            assert!(count < 400, "{byte}: {count}");
        }
    }
}
