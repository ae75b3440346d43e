//! Aliases from one zone into another.

use super::*;

const HEAD: &str = "$TTL 60\n@ SOA ns. h. 1 2 3 4 5\n@ NS ns.\n";

#[test]
fn aliases_lead_from_zone_to_zone() {
    let views = views(&[("web", "a", json!({"address": "10.0.0.1", "port": 80}))]);
    let corp = format!(
        "{HEAD}app CNAME web.svc.local.\nold CNAME app\nany DNAME svc.local.\n* CNAME www.svc.local.\nnone CNAME x.svc.local.\n\
         text CNAME alias.other.test.\nout CNAME www.example.\nround CNAME round.other.test.\nback CNAME round\n"
    );
    let other = format!("{HEAD}alias TXT t\nround CNAME back.corp.test.\nsub NS ns.sub\nns.sub A 10.0.0.9\n");
    let additions = "www CNAME web\nin CNAME host.sub.other.test.\nthere CNAME app.corp.test.";
    let catalog = catalog(Some(additions), &[("corp.test", &corp), ("other.test", &other)]);
    table(
        &catalog,
        &views,
        &[
            ("app.corp.test. A", "Answer app.corp.test. CNAME; web.@ A 10.0.0.1"),
            ("old.corp.test. A", "Answer old.corp.test. CNAME; app.corp.test. CNAME; web.@ A 10.0.0.1"),
            ("web.any.corp.test. A", "Answer any.corp.test. DNAME; web.any.corp.test. CNAME; web.@ A 10.0.0.1"),
            ("x.corp.test. A", "Answer x.corp.test. CNAME; www.@ CNAME; web.@ A 10.0.0.1"),
            ("app.corp.test. AAAA", "NoData app.corp.test. CNAME"),
            ("none.corp.test. A", "NxDomain none.corp.test. CNAME"),
            ("text.corp.test. TXT", "Answer text.corp.test. CNAME; alias.other.test. TXT"),
            ("there A", "Answer there.@ CNAME; app.corp.test. CNAME; web.@ A 10.0.0.1"),
            ("in A", "Referral sub.other.test. NS + ns.sub.other.test. A 10.0.0.9"),
            ("out.corp.test. A", "Answer out.corp.test. CNAME"),
            ("round.corp.test. A", "Answer round.corp.test. CNAME; round.other.test. CNAME"),
            ("app.corp.test. ANY", "Answer app.corp.test. CNAME"),
        ],
    );
}
