//! Settings that are one of a few words.

/// A setting with a fixed set of words.
pub(super) trait Word: Copy + Sized + 'static {
    /// Each word with what it means.
    const WORDS: &'static [(&'static str, Self)];

    fn read(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }
}

/// The words of `T` for a message: `one of text, json`.
pub(super) fn words<T: Word>() -> String {
    let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
    format!("one of {}", words.join(", "))
}

/// Where the registry is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In files of this server.
    Embedded,
    /// Nowhere: gone with the process.
    Memory,
    /// In an etcd cluster that several servers share.
    Etcd,
}

impl Word for StoreKind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("embedded", Self::Embedded), ("memory", Self::Memory), ("etcd", Self::Etcd)];
}

/// The least severe log lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Word for LogLevel {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

impl LogLevel {
    /// The word for it, as in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Word for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_written() {
        assert_eq!(StoreKind::read("memory"), Some(StoreKind::Memory));
        assert_eq!(StoreKind::read("Memory"), None);
        assert_eq!(words::<LogFormat>(), "one of text, json");
        for (word, level) in LogLevel::WORDS {
            assert_eq!(level.as_str(), *word);
        }
    }
}
