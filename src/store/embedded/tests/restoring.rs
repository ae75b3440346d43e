//! Copies, and what becomes of them.

use std::fs::File;
use std::io::Write as _;

use super::super::files::Directory;
use super::super::log::Log;
use super::*;
use crate::archive::{Head, HeadKind, LineWriter, Restored, Writer};

/// Everything in a store, as records.
async fn records(at: &Path) -> (Revision, Vec<Record>) {
    let loaded = Embedded::at(at).load().await.unwrap();
    let instances = loaded.instances.into_iter().map(Restored::Instance);
    (loaded.revision, loaded.records.into_iter().chain(instances.map(Restored::into_record)).collect())
}

/// Writes a copy of a store.
pub async fn backup(at: &Path, copy: &Path) {
    let (revision, records) = records(at).await;
    let head = Head { kind: HeadKind::Copy, generation: 0, revision, records: records.len() as u64 };
    let mut writer = Writer::new(File::create(copy).unwrap(), &head).unwrap();
    records.iter().for_each(|record| writer.put(record).unwrap());
    writer.finish().unwrap();
}

/// The same as lines.
async fn backup_lines(at: &Path, copy: &Path) {
    let (revision, records) = records(at).await;
    let mut writer = LineWriter::new(File::create(copy).unwrap(), revision, records.len() as u64).unwrap();
    records.iter().for_each(|record| writer.put(record).unwrap());
    writer.finish().unwrap();
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        three_batches(&place.at("first")).await;
        let mut store = Embedded::at(&place.at("first"));
        let writes = crate::store::tests::records("text").into_iter().map(Write::Put).collect();
        store.commit(Batch { writes, reserve: Some(Revision(50)) }).await.unwrap();
        drop(store);
        backup(&place.at("first"), &place.at("copy")).await;
        backup_lines(&place.at("first"), &place.at("lines")).await;
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn restore(&self, copy: &str, to: &str, replace: bool) -> Result<Outcome, RestoreError> {
        Restoration { copy: self.at(copy), directory: self.at(to), replace }.carry_out(|_| {})
    }
}

#[tokio::test]
async fn what_was_copied_is_there_again() {
    let place = Place::new().await;
    for (copy, to) in [("copy", "second"), ("lines", "third")] {
        let outcome = place.restore(copy, to, false).unwrap();
        assert_eq!(outcome, Outcome { records: 6, revision: Revision(50) });
        let text = |(revision, records): (Revision, Vec<Record>)| {
            let mut texts: Vec<_> = records.iter().map(|it| (it.name(), crate::archive::text::encode(it))).collect();
            texts.sort();
            (revision, texts)
        };
        assert_eq!(text(records(&place.at(to)).await), text(records(&place.at("first")).await));
        put(&mut Embedded::at(&place.at(to)), &[&instance(key("web", "new"), 4, 1)], None).await;
        assert_eq!(content(&place.at(to)).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_registry_is_replaced_only_when_that_is_asked_for() {
    let place = Place::new().await;
    put(&mut Embedded::at(&place.at("other")), &[&instance(key("web", "z"), 4, 1)], Some(900)).await;
    let refused = place.restore("copy", "other", false).unwrap_err();
    assert!(matches!(refused, RestoreError::NotEmpty(_)), "{refused}");
    assert_eq!(content(&place.at("other")).await.unwrap(), weights(&[("z", 4)]));
    let mut running = Embedded::at(&place.at("other"));
    running.load().await.unwrap();
    let refused = place.restore("copy", "other", true).unwrap_err();
    assert!(matches!(refused, RestoreError::Store(StoreError::InUse { .. })), "{refused}");
    drop(running);
    for copy in ["copy", "lines"] {
        assert_eq!(place.restore(copy, "other", true).unwrap().revision, Revision(900), "no revision goes back");
        assert_eq!(content(&place.at("other")).await.unwrap(), weights(&[("a", 3), ("b", 2)]));
    }
    let files = fs::read_dir(place.at("other")).unwrap().count();
    assert_eq!(files, 3, "a state, a log and the lock");
}

#[tokio::test]
async fn a_damaged_registry_can_be_replaced() {
    let place = Place::new().await;
    three_batches(&place.at("other")).await;
    fs::write(place.at("other/log-0.srvd"), [0x55; 500]).unwrap();
    place.restore("copy", "other", true).unwrap();
    assert_eq!(content(&place.at("other")).await.unwrap(), weights(&[("a", 3), ("b", 2)]));
}

#[tokio::test]
async fn a_restore_that_is_interrupted_over_a_crashed_store_replaces_nothing() {
    let place = Place::new().await;
    let mut open = Embedded::at(&place.at("other"));
    put(&mut open, &[&instance(key("web", "z"), 4, 1)], None).await;
    let crashed = copied(&place.at("other"));
    drop(open);
    let whole = fs::read(place.at("copy")).unwrap();
    fs::write(place.at("damaged"), &whole[..whole.len() - 1]).unwrap();
    let directory = crashed.path().to_owned();
    Restoration { copy: place.at("damaged"), directory: directory.clone(), replace: true }
        .carry_out(|_| {})
        .unwrap_err();
    assert_eq!(content(&directory).await.unwrap(), weights(&[("z", 4)]));
    // As when the machine stopped before the state was there, and after the log that goes with it was.
    Log::begin(&Directory::take(&directory).unwrap(), 1, Revision(50)).unwrap();
    assert_eq!(content(&directory).await.unwrap(), weights(&[("z", 4)]));
}

#[tokio::test]
async fn a_damaged_copy_replaces_nothing() {
    let place = Place::new().await;
    three_batches(&place.at("other")).await;
    let (whole, before) = (fs::read(place.at("copy")).unwrap(), content(&place.at("other")).await.unwrap());
    for at in (0..whole.len()).step_by(11) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        for octets in [&damaged[..], &whole[..at]] {
            fs::write(place.at("damaged"), octets).unwrap();
            let error = place.restore("damaged", "other", true).unwrap_err();
            assert!(matches!(error, RestoreError::Copy { .. }), "octet {at}: {error}");
        }
    }
    fs::write(place.at("damaged"), [&whole[..], b"more"].concat()).unwrap();
    place.restore("damaged", "other", true).unwrap_err();
    assert_eq!(content(&place.at("other")).await.unwrap(), before);
    // Copies of a later format say so.
    place.restore("nowhere", "other", true).unwrap_err();
    assert_eq!(content(&place.at("other")).await.unwrap(), before);
}

#[tokio::test]
async fn lines_may_be_edited() {
    let place = Place::new().await;
    let text = fs::read_to_string(place.at("lines")).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.starts_with(r#"{"instance":"web/a""#)).unwrap();
    lines[at] = lines[at].replace(r#""weight":3"#, r#""weight":30"#);
    let end = lines.len() - 1;
    lines.swap(1, end - 1);
    lines.insert(3, String::new());
    lines.retain(|line| !line.contains("web/b\",\"value\":{\"registration"));
    let try_lines = |lines: &[String]| {
        File::create(place.at("edited")).unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
        place.restore("edited", "edited-store", true)
    };
    assert_eq!(try_lines(&lines).unwrap().records, 5);
    assert_eq!(content(&place.at("edited-store")).await.unwrap(), weights(&[("a", 30)]));
    let mut wrong = lines.clone();
    wrong.insert(2, lines[4].clone());
    let twice = try_lines(&wrong).unwrap_err().to_string();
    assert!(twice.contains("is there already"), "{twice}");
    wrong[2] = r#"{"instance":"web/c","value":{"registration":{}}}"#.to_owned();
    let wrong = try_lines(&wrong).unwrap_err().to_string();
    assert!(wrong.contains("line 3: web/c: `registration.address`"), "{wrong}");
    let cut = try_lines(&lines[..lines.len() - 1]).unwrap_err().to_string();
    assert!(cut.contains("cut short"), "{cut}");
    let alien = try_lines(&lines[1..]).unwrap_err().to_string();
    assert!(alien.contains("not a file of srvd"), "{alien}");
    assert_eq!(content(&place.at("edited-store")).await.unwrap(), weights(&[("a", 30)]), "nothing else took its place");
}

#[tokio::test]
async fn the_example_of_the_documents_is_a_backup() {
    let page = include_str!("../../../../docs/operations.md");
    let from = page.find(r#"{"srvd":"backup""#).expect("the example");
    let length = page[from..].find("```").expect("its end");
    let place = tempfile::tempdir().unwrap();
    let (copy, directory) = (place.path().join("lines"), place.path().join("data"));
    fs::write(&copy, &page[from..from + length]).unwrap();
    let outcome = Restoration { copy, directory: directory.clone(), replace: false }.carry_out(|_| {}).unwrap();
    assert_eq!(outcome, Outcome { records: 2, revision: Revision(42) });
    assert_eq!(content(&directory).await.unwrap(), weights(&[("a", 1)]));
}
