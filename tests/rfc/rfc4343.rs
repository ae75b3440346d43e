//! RFC 4343: names match without case, for ASCII letters only, and are given as they came.

use serde_json::json;

use crate::common::Setup;
use crate::table::check;

const ZONE: &str = "\
$TTL 60
@           SOA   ns.example. hostmaster 1 3600 600 86400 30
@           NS    ns.example.
WWW         A     192.0.2.1
www         A     192.0.2.2
MiXeD.Below TXT   \"x\"
alias       CNAME wWw
\\201.high   TXT   \"201\"
\\233.high   TXT   \"233\"
";

#[test]
fn case_is_no_difference_and_is_kept() {
    let server = Setup::new().zone("Example.TEST.zone", ZONE).start();
    server.register("web", "a", json!({"address": "10.0.0.1", "port": 80}));
    check(
        server.dns[0],
        "
> www.example.test. A                              ; §4.1: one name, one RRset
NOERROR aa
answer www.example.test. 60 A 192.0.2.1
answer www.example.test. 60 A 192.0.2.2

> wWW.eXAMPLE.Test. A                              ; the question's own spelling
NOERROR aa
answer wWW.eXAMPLE.Test. 60 A 192.0.2.1
answer wWW.eXAMPLE.Test. 60 A 192.0.2.2

> BELOW.example.test. TXT
NOERROR aa
authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30

> ALIAS.example.test. A                            ; what was not asked for is as it was written
NOERROR aa
answer ALIAS.example.test. 60 CNAME wWw.example.test.
answer wWw.example.test. 60 A 192.0.2.1
answer wWw.example.test. 60 A 192.0.2.2

> \\201.high.example.test. TXT                      ; §3: letters of no other alphabet
NOERROR aa
answer \\201.high.example.test. 60 TXT \"201\"

> \\233.HIGH.example.test. TXT
NOERROR aa
answer \\233.HIGH.example.test. 60 TXT \"233\"

> Web.SVC.Local. A                                 ; registered names likewise
NOERROR aa
answer Web.SVC.Local. 5 A 10.0.0.1
",
    );
}
