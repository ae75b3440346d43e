//! Master files and what is made of them, as tables.

use super::*;
use proptest::prelude::*;

mod round_trip;

fn read(files: &[(&str, &str)], kind: Kind) -> Result<Zone, Vec<String>> {
    read_with_warnings(files, kind).map(|(zone, _)| zone)
}

fn read_with_warnings(files: &[(&str, &str)], kind: Kind) -> Result<(Zone, Vec<String>), Vec<String>> {
    let mut source = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let result = parse(&mut source, Path::new("z/e"), &Name::parse("e.test").unwrap(), kind);
    let told = |parsed: Parsed| (parsed.zone, parsed.warnings.iter().map(ToString::to_string).collect());
    result.map(told).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// The records of a zone as `owner ttl type octets`.
fn records(zone: &Zone) -> Vec<String> {
    let of_set = |set: &crate::wire::RrSet| {
        let line =
            |rdata: &crate::wire::Rdata| format!("{} {} {} {}", set.owner, set.ttl, set.rtype, rdata.escape_ascii());
        set.rdata.iter().map(line).collect::<Vec<_>>()
    };
    zone.rrsets().flat_map(of_set).collect()
}

#[test]
fn origin_ttl_and_owner_carry_over() {
    for (text, expected) in [
        (
            "a 5 A 10.0.0.1\n  AAAA ::",
            vec![
                r"a.e.test. 5 A \n\x00\x00\x01",
                "a.e.test. 5 AAAA \
          \\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
            ],
        ),
        (
            "$TTL 1h\na TXT x\nb 5 TXT x\nc TXT x",
            vec!["a.e.test. 3600 TXT \\x01x", "b.e.test. 5 TXT \\x01x", "c.e.test. 3600 TXT \\x01x"],
        ),
        (
            "a 1m in txt x\nb IN 2m TXT x\nc class1 TXT x",
            vec!["a.e.test. 60 TXT \\x01x", "b.e.test. 120 TXT \\x01x", "c.e.test. 120 TXT \\x01x"],
        ),
        (
            "$origin b\n@ 5 TXT x\n$ORIGIN c\na TXT x\n$ORIGIN e.test.\nb.a TXT x",
            vec!["b.a.e.test. 5 TXT \\x01x", "b.e.test. 5 TXT \\x01x", "a.c.b.e.test. 5 TXT \\x01x"],
        ),
        (
            "a TXT x\n@ 9 SOA . . 1 2 3 4 7\nb TXT x",
            vec![
                r"e.test. 9 SOA \x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x07",
                "a.e.test. 7 TXT \\x01x",
                "b.e.test. 9 TXT \\x01x",
            ],
        ),
        (
            "@ SOA . . 1 2 3 4 7\nb TXT x",
            vec![
                r"e.test. 7 SOA \x00\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x07",
                "b.e.test. 7 TXT \\x01x",
            ],
        ),
        ("a 9 TXT x\nA 5 TXT y\na 7 TXT x", vec!["a.e.test. 5 TXT \\x01x", "a.e.test. 5 TXT \\x01y"]),
    ] {
        assert_eq!(records(&read(&[("z/e", text)], Kind::Live).unwrap()), expected, "{text}");
    }
}

#[test]
fn includes_are_read_in_place() {
    let zone = read(
        &[
            ("z/e", "$TTL 5\na TXT x\n$INCLUDE sub/b b\n TXT y\n$INCLUDE c\n$INCLUDE \"c\" d\nq TXT x"),
            ("z/sub/b", "@ TXT x\n$ORIGIN o.e.test.\nq TXT x\n$INCLUDE c"),
            ("z/sub/c", " TXT sub\n"),
            ("z/c", "c TXT x"),
        ],
        Kind::Live,
    );
    let expected = [
        "a.e.test. 5 TXT \\x01x",
        "a.e.test. 5 TXT \\x01y",
        "b.e.test. 5 TXT \\x01x",
        "c.e.test. 5 TXT \\x01x",
        "c.d.e.test. 5 TXT \\x01x",
        "q.o.e.test. 5 TXT \\x01x",
        "q.o.e.test. 5 TXT \\x03sub",
        "q.e.test. 5 TXT \\x01x",
    ];
    let mut found = records(&zone.unwrap());
    found.sort();
    let mut expected = expected.map(String::from);
    expected.sort();
    assert_eq!(found, expected);
}

const HEAD: &str = "$TTL 5\n@ SOA . . 1 2 3 4 5\n@ NS ns\n";

#[test]
fn mistakes_are_told_with_their_lines() {
    for (text, expected) in [
        ("$BOGUS x", &["z/e:4: unknown directive $BOGUS: $ORIGIN, $TTL and $INCLUDE are known"][..]),
        ("$ORIGIN", &["z/e:4: the form is $ORIGIN NAME"]),
        ("$ORIGIN a..b", &["z/e:4: a..b is not a name: a label is empty"]),
        ("$TTL 1x", &["z/e:4: 1x is not a TTL: it is neither seconds nor numbers with the units w, d, h, m and s"]),
        ("$INCLUDE none", &["z/e:4: cannot include z/none: entity not found"]),
        ("a A (\n10.0.0", &["z/e:4: a parenthesis is never closed"]),
        (
            "a TXT \"x\nb A 1",
            &["z/e:4: a quote is not closed on its line", "z/e:5: bad A data: an IPv4 address is expected"],
        ),
        ("a", &["z/e:4: no record type"]),
        ("a IN 5", &["z/e:4: no record type"]),
        ("a BOGUS x", &["z/e:4: unknown record type BOGUS"]),
        ("a 5 5 A 10.0.0.1", &["z/e:4: unknown record type 5"]),
        ("a AXFR x", &["z/e:4: AXFR is not a type that a zone can hold"]),
        (
            "$GENERATE 1-9 a$ A 10.0.0.$",
            &["z/e:4: $GENERATE is known to BIND only: write out the records that it stands for"],
        ),
        ("a NSEC \\# 0", &["z/e:4: bad NSEC data: the octets are not what the type holds"]),
        ("a SVCB 1 . port=x", &["z/e:4: bad SVCB data: the parameter port needs a value of another form"]),
        ("a OPT x", &["z/e:4: unknown record type OPT"]),
        ("a TYPE41 \\# 0", &["z/e:4: OPT is not a type that a zone can hold"]),
        ("a CH TXT x", &["z/e:4: class CH: only IN is served"]),
        ("a CLASS3 TXT x", &["z/e:4: class CLASS3: only IN is served"]),
        ("a 2147483648 TXT x", &["z/e:4: 2147483648 is not a TTL: it is more than 2147483647 seconds"]),
        ("a MX (\n10\na..b )", &["z/e:6: bad MX data: a name is expected: a label is empty"]),
        ("b. TXT x", &["z/e:4: b. is outside of the zone e.test."]),
        (
            "e.test.e.test A 1\nhackere.test. A 10.0.0.1",
            &["z/e:4: bad A data: an IPv4 address is expected", "z/e:5: hackere.test. is outside of the zone e.test."],
        ),
        ("@ SOA . . 2 2 3 4 5", &["z/e:4: a second SOA at e.test."]),
        ("@ SOA . . 1 2 3 4 5", &["z/e:4: a second SOA at e.test."]),
        ("a SOA . . 1 2 3 4 5", &["z/e:4: the SOA is at a.e.test., but the zone is e.test. by the name of its file"]),
        ("a CNAME b\n A 10.0.0.1", &["z/e:5: CNAME and other data at a.e.test."]),
        ("a A 10.0.0.1\nA CNAME b", &["z/e:5: CNAME and other data at A.e.test."]),
        ("@ CNAME b", &["z/e:4: CNAME and other data at e.test."]),
        ("a CNAME b\na CNAME b\na CNAME c", &["z/e:6: a second CNAME at a.e.test."]),
        ("a DNAME b\na DNAME c", &["z/e:5: a second DNAME at a.e.test."]),
        ("x.y.A TXT x\na DNAME b\n", &["z/e:4: x.y.A.e.test. is below the DNAME at a.e.test."]),
        ("a DNAME b\na NS c", &["z/e:5: DNAME and NS at a.e.test., which is not the apex"]),
        (
            "a..b TXT x\n TXT y\nc TXT x",
            &[
                "z/e:4: a..b is not a name: a label is empty",
                "z/e:5: there is no record before this one to take the owner name from",
            ],
        ),
    ] {
        let text = format!("{HEAD}{text}");
        assert_eq!(read(&[("z/e", &text)], Kind::Own).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn a_zone_of_its_own_has_soa_and_ns() {
    for (text, kind, expected) in [
        (HEAD, Kind::Own, &[][..]),
        (HEAD, Kind::Live, &[]),
        ("a 5 A 10.0.0.1\nb CNAME a\nb NSEC c A", Kind::Live, &[]),
        ("", Kind::Live, &[]),
        (
            "",
            Kind::Own,
            &[
                "z/e: no SOA record at e.test.; only the file that is named after dns.zone may leave it out",
                "z/e: no NS record at e.test.",
            ],
        ),
        ("@ SOA . . 1 2 3 4 5", Kind::Own, &["z/e: no NS record at e.test."]),
        ("a NS b", Kind::Own, &["z/e:1: no TTL: give the record one, or the file a $TTL"]),
        ("@ SOA . .", Kind::Own, &["z/e:1: bad SOA data: a field is missing"]),
        ("@ 5 CNAME b", Kind::Live, &["z/e:1: CNAME and other data at e.test."]),
        (
            "$ORIGIN f.test.\n@ SOA . . 1 2 3 4 5",
            Kind::Own,
            &["z/e:2: the SOA is at f.test., but the zone is e.test. by the name of its file"],
        ),
    ] {
        let result = read(&[("z/e", text)], kind);
        assert_eq!(result.err().unwrap_or_default(), expected, "{text}");
    }
    assert_eq!(read(&[], Kind::Own).unwrap_err(), ["z/e: cannot be read: entity not found"]);
}

#[test]
fn doubts_are_told_with_their_lines() {
    for (text, expected) in [
        ("ns A 10.0.0.1\nmx MX 0 ns\nnone MX 0 .\nout SRV 0 0 1 a.example.\n", &[][..]),
        ("", &["z/e:3: ns.e.test., which the NS record at e.test. points at, has no address here"]),
        (
            "ns CNAME a\n",
            &["z/e:3: ns.e.test., which the NS record at e.test. points at, is an alias (RFC 2181 §10.3)"],
        ),
        ("* AAAA ::1\n", &[]),
        (
            "* CNAME a.example.\n",
            &["z/e:3: ns.e.test., which the NS record at e.test. points at, is an alias (RFC 2181 §10.3)"],
        ),
        ("x.ns A 10.0.0.1\n", &["z/e:3: ns.e.test., which the NS record at e.test. points at, has no address here"]),
        (
            "ns A 10.0.0.1\nmx MX 0 x\nsrv SRV 0 0 1 x.d\nd DNAME example.\n",
            &[
                "z/e:5: x.e.test., which the MX record at mx.e.test. points at, has no address here",
                "z/e:6: x.d.e.test., which the SRV record at srv.e.test. points at, is an alias (RFC 2181 §10.3)",
            ],
        ),
        (
            "ns A 10.0.0.1\nin NS ns.in\nglued NS ns.glued\nns.glued A 10.0.0.2\nsib NS ns.in\nmx MX 0 mx.in\n",
            &["z/e:5: ns.in.e.test., which the NS record at in.e.test. points at, has no address here"],
        ),
        (
            "ns A 10.0.0.1\na 9 A 10.0.0.1\na A 10.0.0.2\nA 9 A 10.0.0.3\n",
            &["z/e:6: the A records at a.e.test. have different TTLs: 5, the lowest, is that of all (RFC 2181 §5.2)"],
        ),
        (
            "ns A 10.0.0.1\ncut NS a.\nx.cut A 10.0.0.1\ny.x.Cut TXT x\n",
            &[
                "z/e:7: y.x.Cut.e.test. is below the zone cut at cut.e.test. and is never answered: only glue belongs there",
            ],
        ),
        (
            "ns A 10.0.0.1\nwww ANAME ns\n",
            &[
                "z/e:5: the ANAME record at www.e.test. is given to those who ask for it and makes no addresses: the type is no standard",
            ],
        ),
        (
            "ns A 10.0.0.1\n*.w NS a.\n@ DS 1 8 2 00\nb DS 1 8 2 00\nc DS 1 8 2 00\nc NS a.\n",
            &[
                "z/e:5: the NS records at *.w.e.test. delegate no name: a wildcard makes no zone cut (RFC 4592 §4.2)",
                "z/e:6: the DS records at e.test. belong to the zone above",
                "z/e:7: the DS records at b.e.test. stand at no zone cut",
            ],
        ),
    ] {
        let text = format!("{HEAD}{text}");
        let (_, warnings) = read_with_warnings(&[("z/e", &text)], Kind::Own).unwrap();
        assert_eq!(warnings, expected, "{text}");
    }
    let (_, warnings) = read_with_warnings(&[("z/e", "$TTL 5\na MX 0 web\nb MX 0 c\nc CNAME d")], Kind::Live).unwrap();
    let alias = "z/e:3: c.e.test., which the MX record at b.e.test. points at, is an alias (RFC 2181 §10.3)";
    assert_eq!(warnings, [alias], "web may be a service");
    let many: String = (0..1000).map(|at| format!("a{at} MX 0 b{at}\n")).collect();
    assert_eq!(read_with_warnings(&[("z/e", &format!("{HEAD}{many}"))], Kind::Own).unwrap().1.len(), MAX_ERRORS);
}

/// Files are octets, whatever ends their lines.
#[test]
fn octets_are_kept() {
    let octets = |text: &[u8]| {
        let mut source = |_: &Path| Ok(text.to_vec());
        let parsed = parse(&mut source, Path::new("z/e"), &Name::parse("e.test").unwrap(), Kind::Live);
        parsed.map(|parsed| records(&parsed.zone)).map_err(|errors| errors[0].to_string())
    };
    for (text, expected) in [
        (&b"a 5 TXT \"x\""[..], &[r"a.e.test. 5 TXT \x01x"][..]),
        (b"$TTL 5\r\na TXT \"x\" (\r\n y )\r\n TXT z\r\n", &[r"a.e.test. 5 TXT \x01x\x01y", r"a.e.test. 5 TXT \x01z"]),
        (b"\xef\xbb\xbf$TTL 5\na TXT x", &[r"a.e.test. 5 TXT \x01x"]),
        (b"a 5 TXT \xe9\\233 \"\xff \xfe\"", &[r"a.e.test. 5 TXT \x02\xe9\xe9\x03\xff \xfe"]),
        (b"caf\xe9 5 TXT x", &[r"caf\233.e.test. 5 TXT \x01x"]),
        (b"caf\\233 5 TXT x\nCAF\xe9 5 TXT y", &[r"caf\233.e.test. 5 TXT \x01x", r"caf\233.e.test. 5 TXT \x01y"]),
        (b"a\x00b 5 TXT \x00", &[r"a\000b.e.test. 5 TXT \x01\x00"]),
        (b"", &[]),
        (b"\r\n ; nothing", &[]),
    ] {
        assert_eq!(octets(text).unwrap(), expected, "{}", text.escape_ascii());
    }
    for (text, expected) in [
        (&b"a 5 \xe9 x"[..], "z/e:1: unknown record type \u{fffd}"),
        (
            b"$TTL \xff",
            "z/e:1: \u{fffd} is not a TTL: it is neither seconds nor numbers with the units w, d, h, m and s",
        ),
        (b"a 5 A \xff", "z/e:1: bad A data: an IPv4 address is expected"),
        (b"\xff\xfea\x00 \x005\x00", "z/e:1: unknown record type \\u{0}5\\u{0}"),
    ] {
        assert_eq!(octets(text).unwrap_err(), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn files_have_a_limit_together() {
    // Pages that are never touched take no memory.
    let most = usize::try_from(MAX_OCTETS).unwrap();
    for (first, expected) in [
        (&b"$INCLUDE a"[..], "z/e:1: the zone has more than 1073741824 octets in all its files"),
        (b"", "z/e: the zone has more than 1073741824 octets in all its files"),
    ] {
        let mut source = |path: &Path| {
            let is_first = path.ends_with("e") && !first.is_empty();
            Ok(if is_first { first.to_vec() } else { vec![0; most + usize::from(first.is_empty())] })
        };
        let errors = parse(&mut source, Path::new("z/e"), &Name::parse("e.test").unwrap(), Kind::Live).unwrap_err();
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn loops_and_floods_end() {
    let errors = read(&[("z/e", "$INCLUDE e\n")], Kind::Live).unwrap_err();
    assert_eq!(errors, ["z/e:1: files include each other more than 8 deep"]);
    let errors = read(&[("z/e", "$INCLUDE e\n$INCLUDE e\n$INCLUDE e\n")], Kind::Live).unwrap_err();
    assert_eq!(errors.len(), MAX_ERRORS);
    let errors = read(&[("z/e", &"a A x\n".repeat(1000))], Kind::Live).unwrap_err();
    assert_eq!((errors.len(), errors[99].as_str()), (MAX_ERRORS, "z/e:100: bad A data: an IPv4 address is expected"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = read(&[("z/e", &text)], Kind::Own);
    }

    #[test]
    fn any_words_are_read_or_refused(words in proptest::collection::vec(prop_oneof![
        Just("@"), Just(" "), Just("\n"), Just("\""), Just("("), Just(")"), Just("\\"), Just(";"), Just("="), Just("\r\n"),
        Just("a"), Just("*"), Just("1"), Just("\\#"), Just("0"), Just("IN"), Just("5 "), Just(" A "), Just(" TXT "), Just(" SVCB "),
        Just(" HTTPS "), Just(" CERT "), Just(" CSYNC "), Just(" OPENPGPKEY "), Just(" SOA "), Just(" DNAME "), Just("alpn="),
        Just("mandatory="), Just("ech="), Just("ipv4hint="), Just("key9="), Just(","), Just("é"), Just("\\1"), Just("$TTL 5\n"),
        Just("$ORIGIN "), Just("$INCLUDE e\n"), Just(" TYPE"), Just("\0"),
    ], 0..40)) {
        let _ = read(&[("z/e", &words.concat())], Kind::Live);
    }
}
