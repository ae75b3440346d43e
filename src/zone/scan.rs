//! A scanner for master files: from text to entries with line numbers.
//!
//! An entry is a line, or several that parentheses hold together (RFC 1035 §5.1). The scanner knows parentheses, quotes,
//! escapes and comments, and nothing of names, types or directives: tokens are slices of the text with their escapes
//! still in them, because what an escaped dot means depends on who reads it. A file is octets: what is not UTF-8 is data
//! like any other. After a mistake the scanner goes on with the next entry, so that one reading finds them all.
//!
//! Deviation: a line break between quotes is a mistake here, though RFC 1035 allows it. A forgotten quote would else be
//! reported far from its line, with every later string inside out; `\010` says a line break.

/// One word or quoted string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// The text without its quotes, escapes as written.
    pub text: &'a [u8],
    /// Whether the text stood between quotes.
    pub quoted: bool,
    /// Whether no space separates it from the token before, as in `alpn="h2"` (RFC 9460 §2.1).
    pub joined: bool,
    /// The line it begins on, from 1.
    pub line: u32,
}

/// Words of one entry: more than any record has, whose hexadecimal digits may all stand alone.
const MAX_TOKENS: usize = 150_000;
/// Characters of a token that a message shows.
const SHOWN: usize = 80;

impl<'a> Token<'a> {
    /// The text as characters. What is not UTF-8 becomes a character that no number, mnemonic or address has.
    pub(super) fn word(&self) -> &'a str {
        std::str::from_utf8(self.text).unwrap_or("\u{fffd}")
    }

    /// The beginning of the text, to be shown in a message.
    pub(super) fn shown(&self) -> String {
        let text = String::from_utf8_lossy(self.text);
        let mut shown = String::new();
        for character in text.chars().take(SHOWN) {
            if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
        }
        shown
    }
}

/// What an entry begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// `$` and a word, without the `$`.
    Directive(&'a str),
    /// The owner name of a record.
    Owner(Token<'a>),
    /// White space: the owner is that of the record before.
    SameOwner,
}

/// A directive or a record: its head, and the tokens after that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub line: u32,
    pub head: Head<'a>,
    pub tokens: Vec<Token<'a>>,
}

/// Why text is not a sequence of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("a parenthesis is never closed")]
    OpenParenthesis,
    #[error("a closing parenthesis was never opened")]
    StrayParenthesis,
    #[error("a quote is not closed on its line")]
    OpenQuote,
    #[error("there are more than {0} words in one record")]
    TooManyTokens(usize),
}

/// What some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A mistake and the line where it begins.
pub(super) type Flaw = (u32, ScanError);

/// Iterates over the entries of a text.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
}

/// The entry that is being read.
#[derive(Default)]
struct Draft<'a> {
    tokens: Vec<Token<'a>>,
    /// How many parentheses are open, and the line of the outermost.
    open: usize,
    opened: u32,
    flaw: Option<Flaw>,
    /// Where the last token ended, its quote included.
    end: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text: text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text), at: 0, line: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Reads to the end of the entry.
    fn draft(&mut self) -> Draft<'a> {
        let mut draft = Draft::default();
        while let Some(octet) = self.peek() {
            match octet {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    if draft.open == 0 {
                        return draft;
                    }
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.skip_line(),
                b'(' => {
                    draft.opened = if draft.open == 0 { self.line } else { draft.opened };
                    draft.open += 1;
                    self.at += 1;
                }
                b')' => {
                    if draft.open == 0 {
                        draft.flaw.get_or_insert((self.line, ScanError::StrayParenthesis));
                    }
                    draft.open = draft.open.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => self.quoted(&mut draft),
                _ => self.word(&mut draft),
            }
        }
        if draft.open > 0 {
            draft.flaw = Some((draft.opened, ScanError::OpenParenthesis));
        }
        draft
    }

    fn skip_line(&mut self) {
        let left = &self.text[self.at..];
        self.at += left.iter().position(|octet| *octet == b'\n').unwrap_or(left.len());
    }

    /// Moves past one character or the start of one, a backslash taking what it escapes along.
    fn step(&mut self) {
        let escape = self.peek() == Some(b'\\');
        self.at += 1;
        if escape && self.peek().is_some_and(|octet| octet != b'\n' && octet != b'\r') {
            self.at += 1;
        }
    }

    fn quoted(&mut self, draft: &mut Draft<'a>) {
        let quote = self.at;
        self.at += 1;
        while let Some(octet) = self.peek() {
            match octet {
                b'"' => {
                    self.at += 1;
                    return self.push(draft, quote, true);
                }
                b'\n' => break,
                _ => self.step(),
            }
        }
        draft.flaw.get_or_insert((self.line, ScanError::OpenQuote));
    }

    fn word(&mut self, draft: &mut Draft<'a>) {
        let start = self.at;
        while let Some(octet) = self.peek() {
            if matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"') {
                break;
            }
            self.step();
        }
        self.push(draft, start, false);
    }

    fn push(&self, draft: &mut Draft<'a>, start: usize, quoted: bool) {
        if draft.tokens.len() == MAX_TOKENS {
            draft.flaw.get_or_insert((self.line, ScanError::TooManyTokens(MAX_TOKENS)));
            return;
        }
        let text = if quoted { &self.text[start + 1..self.at - 1] } else { &self.text[start..self.at] };
        draft.tokens.push(Token { text, quoted, joined: draft.end == Some(start), line: self.line });
        draft.end = Some(self.at);
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Result<Entry<'a>, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(first) = self.peek() {
            let indented = first == b' ' || first == b'\t';
            let Draft { mut tokens, flaw, .. } = self.draft();
            if let Some(flaw) = flaw {
                return Some(Err(flaw));
            }
            let Some(&token) = tokens.first() else { continue };
            if indented {
                return Some(Ok(Entry { line: token.line, head: Head::SameOwner, tokens }));
            }
            tokens.remove(0);
            let head = match token.word().strip_prefix('$') {
                Some(directive) if !token.quoted => Head::Directive(directive),
                _ => Head::Owner(token),
            };
            return Some(Ok(Entry { line: token.line, head, tokens }));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as `line head|token|token`, quoted tokens in quotes, joined ones after `+`.
    fn shown(text: &str) -> Vec<String> {
        let token = |token: &Token<'_>| {
            let quote = if token.quoted { "\"" } else { "" };
            format!("{}{quote}{}{quote}", if token.joined { '+' } else { '|' }, token.word())
        };
        let entry = |entry: Result<Entry<'_>, Flaw>| match entry {
            Err((line, error)) => format!("{line} {error:?}"),
            Ok(Entry { line, head, tokens }) => {
                let head = match head {
                    Head::Directive(name) => format!("${name}"),
                    Head::Owner(owner) => owner.word().to_string(),
                    Head::SameOwner => "-".to_string(),
                };
                format!("{line} {head}{}", tokens.iter().map(token).collect::<String>())
            }
        };
        Scanner::new(text.as_bytes()).map(entry).collect()
    }

    #[test]
    fn entries_have_heads_tokens_and_lines() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("\n \n;x\n  ; y\n", &[]),
            ("a A 10.0.0.1", &["1 a|A|10.0.0.1"]),
            ("a A 10.0.0.1\n\tA 10.0.0.2 ; two\n", &["1 a|A|10.0.0.1", "2 -|A|10.0.0.2"]),
            ("\u{feff}$TTL 1h\r\na A 10.0.0.1\r\n", &["1 $TTL|1h", "2 a|A|10.0.0.1"]),
            ("@ SOA ( a ; (\n b\n 1 ) 2\nx A 1", &["1 @|SOA|a|b|1|2", "4 x|A|1"]),
            ("a TXT ((x) y)", &["1 a|TXT|x|y"]),
            ("a TXT (\n \"b ;c(\" \"\" d\\;e )", &["1 a|TXT|\"b ;c(\"|\"\"|d\\;e"]),
            (r#"a TXT "say \"hi\" \\""#, &[r#"1 a|TXT|"say \"hi\" \\""#]),
            (r#"a SVCB 1 . alpn="h2" port=1"#, &[r#"1 a|SVCB|1|.|alpn=+"h2"|port=1"#]),
            (r#"a TXT "b""c""#, &[r#"1 a|TXT|"b"+"c""#]),
            ("\\$a A 1\n\"$b\" A 1", &["1 \\$a|A|1", "2 $b|A|1"]),
            ("a\\ b A 1", &["1 a\\ b|A|1"]),
            ("a TXT é\\é", &["1 a|TXT|é\\é"]),
            ("a\\\nb", &["1 a\\", "2 b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn mistakes_have_the_line_where_they_begin() {
        let cases: &[(&str, &[&str])] = &[
            ("\na SOA (\n ( b\n", &["2 OpenParenthesis"]),
            ("a A 1 )\nb A 1", &["1 StrayParenthesis", "2 b|A|1"]),
            ("a TXT \"x\nb TXT \"y\"", &["1 OpenQuote", "2 b|TXT|\"y\""]),
            ("a TXT (\n \"x\n y )\nb A 1", &["2 OpenQuote", "4 b|A|1"]),
            ("a TXT \"x\\", &["1 OpenQuote"]),
            ("a TXT \"x\\\"", &["1 OpenQuote"]),
            (&format!("a TXT {}\nb A 1", "x ".repeat(MAX_TOKENS)), &["1 TooManyTokens(150000)", "2 b|A|1"]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), *expected, "{text:?}");
        }
    }
}
