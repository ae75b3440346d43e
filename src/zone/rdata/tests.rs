//! Data of every type from text to wire, and what is wrong with other text.

use super::*;
use crate::zone::forms::{mnemonic, record_type};
use crate::zone::presentation;
use crate::zone::scan::Scanner;

/// `TYPE data` to wire, escaped as ASCII. What can be read has to be written so that it reads the same.
fn wire(text: &str) -> Result<String, RdataError> {
    let (rtype, wire) = read(text)?;
    let written = format!("{} {}", mnemonic(rtype), presentation::rdata(rtype, &wire));
    assert_eq!(read(&written), Ok((rtype, wire.clone())), "{text} is written as {written}");
    Ok(wire.escape_ascii().to_string())
}

fn read(text: &str) -> Result<(RecordType, Rdata), RdataError> {
    let line = format!("@ {text}");
    let entry = Scanner::new(line.as_bytes()).next().unwrap().unwrap();
    let rtype = record_type(entry.tokens[0].word()).expect(text);
    let origin = Name::parse("o.test").unwrap();
    parse(rtype, &entry.tokens[1..], &origin).map(|rdata| (rtype, rdata)).map_err(|(_, error)| error)
}

fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(wire(text).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn types_of_rfc_1035() {
    check(&[
        ("A 10.0.0.1", r"\n\x00\x00\x01"),
        ("NS ns", r"\x02ns\x01o\x04test\x00"),
        ("MD ns", r"\x02ns\x01o\x04test\x00"),
        ("MF .", r"\x00"),
        ("CNAME @", r"\x01o\x04test\x00"),
        (
            "SOA . h. 4294967295 1h 1 2w 5",
            r"\x00\x01h\x00\xff\xff\xff\xff\x00\x00\x0e\x10\x00\x00\x00\x01\x00\x12u\x00\x00\x00\x00\x05",
        ),
        ("MB a.", r"\x01a\x00"),
        ("MG a.", r"\x01a\x00"),
        ("MR a.", r"\x01a\x00"),
        (r"PTR a\.\066.X.", r"\x03a.B\x01X\x00"),
        (r#"HINFO "x" y"#, r"\x01x\x01y"),
        ("MINFO a. b.", r"\x01a\x00\x01b\x00"),
        ("MX 10 mx.o.test.", r"\x00\n\x02mx\x01o\x04test\x00"),
        (r#"TXT a "b c" "" \255\"\; "é""#, r#"\x01a\x03b c\x00\x03\xff\";\x02\xc3\xa9"#),
    ]);
}

#[test]
fn types_of_hosts_and_services() {
    check(&[
        ("RP a. .", r"\x01a\x00\x00"),
        ("AFSDB 1 a.", r"\x00\x01\x01a\x00"),
        ("X25 311061700956", r"\x0c311061700956"),
        ("ISDN 150862028003217 004", r"\x0f150862028003217\x03004"),
        ("RT 2 a.", r"\x00\x02\x01a\x00"),
        ("PX 10 a. b.", r"\x00\n\x01a\x00\x01b\x00"),
        ("GPOS -32.6882 116.8652 10.0", r"\x08-32.6882\x08116.8652\x0410.0"),
        ("aaaa 2001:db8::1", r" \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
        ("AAAA ::ffff:10.0.0.1", r"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\n\x00\x00\x01"),
        ("SRV 1 2 3 .", r"\x00\x01\x00\x02\x00\x03\x00"),
        (r#"NAPTR 1 2 "u" "" "!^.*$!\\1!" r"#, r"\x00\x01\x00\x02\x01u\x00\t!^.*$!\\1!\x01r\x01o\x04test\x00"),
        ("KX 10 a.", r"\x00\n\x01a\x00"),
        ("DNAME .", r"\x00"),
        ("SPF a b", r"\x01a\x01b"),
        ("NID 10 0014:4fff:ff20:ee64", r"\x00\n\x00\x14O\xff\xff \xeed"),
        ("L32 10 10.1.2.0", r"\x00\n\n\x01\x02\x00"),
        ("L64 10 2001:0DB8:1140:1000", r"\x00\n \x01\r\xb8\x11@\x10\x00"),
        ("LP 10 l64", r"\x00\n\x03l64\x01o\x04test\x00"),
        ("EUI48 00-00-5e-00-53-2a", r"\x00\x00^\x00S*"),
        ("EUI64 00-00-5e-ef-10-00-00-2A", r"\x00\x00^\xef\x10\x00\x00*"),
        (r#"URI 10 1 "ftp://x/""#, r"\x00\n\x00\x01ftp://x/"),
        (r#"CAA 128 issue "ca.test; a=b""#, r"\x80\x05issueca.test; a=b"),
        ("AVC x", r"\x01x"),
        ("RESINFO qnamemin", r"\x08qnamemin"),
        ("WALLET a b", r"\x01a\x01b"),
        ("ANAME a.", r"\x01a\x00"),
    ]);
}

#[test]
fn types_of_keys_and_proofs() {
    check(&[
        ("KEY 256 3 5 AQ==", r"\x01\x00\x03\x05\x01"),
        (
            "SIG A 5 3 86400 20030322173103 20030220173103 2642 a. YWJj",
            r"\x00\x01\x05\x03\x00\x01Q\x80>|\x9d\xd7>U\x10\xd7\nR\x01a\x00abc",
        ),
        ("CERT 1 2 3 YW Jj", r"\x00\x01\x00\x02\x03abc"),
        ("CERT PGP 0 RSASHA1 YWJj", r"\x00\x03\x00\x00\x05abc"),
        ("DS 60485 5 1 2BB1 83AF", r"\xecE\x05\x01+\xb1\x83\xaf"),
        ("DS 60485 rsasha1 1 2BB183AF", r"\xecE\x05\x01+\xb1\x83\xaf"),
        ("SSHFP 2 1 123456", r"\x02\x01\x124V"),
        (
            "RRSIG TYPE65280 13 3 86400 1048354263 20030220173103 2642 a. ( YW\n Jj )",
            r"\xff\x00\r\x03\x00\x01Q\x80>|\x9d\xd7>U\x10\xd7\nR\x01a\x00abc",
        ),
        ("NSEC a. A MX RRSIG NSEC", r"\x01a\x00\x00\x06@\x01\x00\x00\x00\x03"),
        ("NSEC a.", r"\x01a\x00"),
        ("DNSKEY 256 3 ECDSAP256SHA256 YWJj", r"\x01\x00\x03\rabc"),
        ("DNSKEY \\# 5 010003057f", r"\x01\x00\x03\x05\x7f"),
        ("DHCID YWJj", "abc"),
        ("NSEC3 1 1 12 aabb CPNMUOJ1 A TYPE256", r"\x01\x01\x00\x0c\x02\xaa\xbb\x05fooba\x00\x01@\x01\x01\x80"),
        ("NSEC3 1 0 0 - CPNMUOJ1", r"\x01\x00\x00\x00\x00\x05fooba"),
        ("NSEC3PARAM 1 0 12 -", r"\x01\x00\x00\x0c\x00"),
        ("TLSA ( 3 1 1 0\n a )", r"\x03\x01\x01\n"),
        ("SMIMEA 3 0 0 ff", r"\x03\x00\x00\xff"),
        ("CDS 0 0 0 00", r"\x00\x00\x00\x00\x00"),
        ("CDNSKEY 0 3 0 AA==", r"\x00\x00\x03\x00\x00"),
        ("OPENPGPKEY ( YW\nJj )", "abc"),
        ("CSYNC 66 3 A NS AAAA", r"\x00\x00\x00B\x00\x03\x00\x04`\x00\x00\x08"),
        ("ZONEMD 2018031500 1 1 ffEE00111133 445566778899", r"xH\xb7\x8c\x01\x01\xff\xee\x00\x11\x113DUfw\x88\x99"),
        ("DLV 1 5 1 aa", r"\x00\x01\x05\x01\xaa"),
    ]);
}

#[test]
fn the_generic_form_is_for_every_type() {
    check(&[
        ("TYPE65280 \\# 3 abcd 01", r"\xab\xcd\x01"),
        ("TYPE65280 \\# 0", ""),
        ("NULL \\# 1 00", r"\x00"),
        ("LOC \\# 1 00", r"\x00"),
        ("A \\# 4 0a000001", r"\n\x00\x00\x01"),
        ("TYPE1 10.0.0.1", r"\n\x00\x00\x01"),
    ]);
}

/// RFC 9460 appendix D, and what goes beyond it.
#[test]
fn svcb_and_https() {
    check(&[
        ("HTTPS 0 foo.example.com.", r"\x00\x00\x03foo\x07example\x03com\x00"),
        ("HTTPS 0 web", r"\x00\x00\x03web\x01o\x04test\x00"),
        ("SVCB 1 .", r"\x00\x01\x00"),
        ("SVCB 16 foo. port=53", r"\x00\x10\x03foo\x00\x00\x03\x00\x02\x005"),
        ("SVCB 1 foo. key667=hello", r"\x00\x01\x03foo\x00\x02\x9b\x00\x05hello"),
        (r#"SVCB 1 foo. key667="hello\210qoo""#, r"\x00\x01\x03foo\x00\x02\x9b\x00\thello\xd2qoo"),
        (
            r#"SVCB 1 foo. ipv6hint="2001:db8::1,2001:db8::53:1""#,
            r"\x00\x01\x03foo\x00\x00\x06\x00  \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01 \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00S\x00\x01",
        ),
        (
            "SVCB 16 foo. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn\n ipv4hint=192.0.2.1 )",
            r"\x00\x10\x03foo\x00\x00\x00\x00\x04\x00\x01\x00\x04\x00\x01\x00\t\x02h2\x05h3-19\x00\x04\x00\x04\xc0\x00\x02\x01",
        ),
        (r#"SVCB 16 . alpn="f\\\\oo\\,bar,h2""#, r"\x00\x10\x00\x00\x01\x00\x0c\x08f\\oo,bar\x02h2"),
        (r"SVCB 16 . alpn=f\\\092oo\092,bar,h2", r"\x00\x10\x00\x00\x01\x00\x0c\x08f\\oo,bar\x02h2"),
        ("HTTPS 1 @ ipv4hint=10.0.0.1", r"\x00\x01\x01o\x04test\x00\x00\x04\x00\x04\n\x00\x00\x01"),
        ("HTTPS 1 . no-default-alpn alpn=h2", r"\x00\x01\x00\x00\x01\x00\x03\x02h2\x00\x02\x00\x00"),
        ("HTTPS 1 . ech=YWJj", r"\x00\x01\x00\x00\x05\x00\x03abc"),
        ("SVCB 1 . ohttp dohpath=/q{?dns}", r"\x00\x01\x00\x00\x07\x00\x08/q{?dns}\x00\x08\x00\x00"),
        ("SVCB 1 . key65534 key3=\\000\\053", r"\x00\x01\x00\x00\x03\x00\x02\x005\xff\xfe\x00\x00"),
    ]);
    for (octets, is_right) in [
        ("SVCB \\# 2 0001", false),
        ("SVCB \\# 3 000100", true),
        ("SVCB \\# 4 00010041", false),
        ("HTTPS \\# 5 000101c000", true),
        ("HTTPS \\# 4 0001c00c", false),
        ("HTTPS \\# 10 000100 0001 0003 026832", true),
        ("HTTPS \\# 9 000100 0001 0003 0268", false),
        ("HTTPS \\# 9 000100 0001 0002 0268", false),
        ("HTTPS \\# 8 000100 0001 0001 00", false),
        ("HTTPS \\# 7 000100 0001 0000", false),
        ("HTTPS \\# 9 000100 0003 0002 0035", true),
        ("HTTPS \\# 8 000100 0003 0001 35", false),
        ("HTTPS \\# 15 000100 0003 0002 0035 0003 0002 0035", false),
        ("HTTPS \\# 14 000100 0003 0002 0035 029b 0001 ff", true),
        ("HTTPS \\# 14 000100 029b 0001 ff 0003 0002 0035", false),
        ("HTTPS \\# 7 000100 0002 0000", false),
        ("HTTPS \\# 7 000100 ffff 0000", false),
        ("HTTPS \\# 15 000100 0000 0002 0003 0003 0002 0035", true),
        ("HTTPS \\# 9 000100 0000 0002 0003", false),
        ("HTTPS \\# 9 000100 0000 0002 0000", false),
        ("HTTPS \\# 10 000100 0004 0003 c00002", false),
    ] {
        assert_eq!(wire(octets).is_ok(), is_right, "{octets}");
    }
    let parameter = |key, error| RdataError::Parameter(ParameterKey(key), error);
    for (text, expected) in [
        ("SVCB 1", RdataError::Missing),
        ("SVCB x .", RdataError::Number(65535)),
        ("SVCB 1 a..b", RdataError::Name(NameError::EmptyLabel)),
        ("SVCB 1 . \"alpn=h2\"", RdataError::Quoted),
        ("SVCB 1 . port=1 port=2", parameter(3, ParameterError::Twice)),
        ("SVCB 1 . port=1 key3=x", parameter(3, ParameterError::Twice)),
        ("SVCB 1 . key65535=1", RdataError::ParameterKey),
        ("SVCB 1 . key01=1", RdataError::ParameterKey),
        ("SVCB 1 . bogus=1", RdataError::ParameterKey),
        ("SVCB 1 . port", parameter(3, ParameterError::Value)),
        ("SVCB 1 . port=65536", parameter(3, ParameterError::Value)),
        ("SVCB 1 . alpn", parameter(1, ParameterError::Value)),
        ("SVCB 1 . alpn=", parameter(1, ParameterError::Value)),
        ("SVCB 1 . alpn=h2,,h3", parameter(1, ParameterError::Value)),
        ("SVCB 1 . no-default-alpn", parameter(2, ParameterError::NoAlpn)),
        ("SVCB 1 . alpn=h2 no-default-alpn=1", parameter(2, ParameterError::Value)),
        ("SVCB 1 . ipv4hint=10.0.0.256", parameter(4, ParameterError::Value)),
        ("SVCB 1 . ipv6hint=", parameter(6, ParameterError::Value)),
        ("SVCB 1 . ech=x", parameter(5, ParameterError::Value)),
        ("SVCB 1 . mandatory=key123", parameter(123, ParameterError::NotThere)),
        ("SVCB 1 . mandatory=mandatory", parameter(0, ParameterError::Value)),
        ("SVCB 1 . mandatory=port,port port=1", parameter(0, ParameterError::Value)),
        ("SVCB 1 . port=\\256", RdataError::Escape),
    ] {
        assert_eq!(wire(text), Err(expected), "{text}");
    }
}

#[test]
fn bad_text_is_refused() {
    let long = format!("TXT {}", "a".repeat(256));
    let huge = format!("TXT {}", "a ".repeat(40_000));
    for (text, expected) in [
        ("A", RdataError::Missing),
        ("A 10.0.0.256", RdataError::Ipv4),
        ("A 010.0.0.1", RdataError::Ipv4),
        ("A 10.0.0.1 10.0.0.2", RdataError::Extra),
        ("A \"10.0.0.1\"", RdataError::Quoted),
        ("AAAA 10.0.0.1", RdataError::Ipv6),
        ("MX mx", RdataError::Number(65535)),
        ("MX 65536 mx", RdataError::Number(65535)),
        ("MX +1 mx", RdataError::Number(65535)),
        ("MX 1", RdataError::Missing),
        ("NS a..b", RdataError::Name(NameError::EmptyLabel)),
        ("SOA a b 1 2 3 4", RdataError::Missing),
        ("SOA a b 1 2 3 4 x", RdataError::Period),
        ("TXT \\256", RdataError::Escape),
        ("TXT \\1", RdataError::Escape),
        (&long, RdataError::StringTooLong),
        (&huge, RdataError::TooLong),
        ("CAA 0 is-sue x", RdataError::Tag),
        ("CAA 0 \"\" x", RdataError::Tag),
        ("CAA \\# 3 000000", RdataError::Generic),
        ("CAA \\# 3 00012d", RdataError::Generic),
        ("DS 1 2 3", RdataError::Missing),
        ("DS 1 2 3 abc", RdataError::Hex),
        ("DS 1 2 3 xy", RdataError::Hex),
        ("ZONEMD 1 1 1 ffee001122334455667788", RdataError::Digest),
        ("ZONEMD \\# 17 000000010101ffee001122334455667788", RdataError::Generic),
        ("DS 1 BOGUS 3 ab", RdataError::Number(255)),
        ("CERT BOGUS 0 0 AQ==", RdataError::Number(65535)),
        ("DNSKEY 256 3 5 AQ=", RdataError::Base64),
        ("DNSKEY 256 3 5", RdataError::Missing),
        ("RRSIG BOGUS 5 3 86400 0 0 2642 a. YWJj", RdataError::Types),
        ("RRSIG A 5 3 86400 2003032217310 0 2642 a. YWJj", RdataError::Time),
        ("NSEC a. BOGUS", RdataError::Types),
        ("NSEC a. \"A\"", RdataError::Quoted),
        ("NSEC3 1 1 12 aab CPNMUOJ1", RdataError::Hex),
        ("NSEC3 1 1 12 - CPNMUOJW", RdataError::Base32),
        ("EUI48 00-00-5e-00-53", RdataError::Eui),
        ("EUI48 00-00-5e-00-5-32a", RdataError::Eui),
        ("NID 10 14:4fff:ff20:ee64", RdataError::Locator),
        ("TYPE65280 10.0.0.1", RdataError::Unsupported),
        ("LOC 0 N 0 E 0m", RdataError::Unsupported),
        ("TYPE65280 \\# 2 ab", RdataError::Length),
        ("TYPE65280 \\# 1 a", RdataError::Hex),
        ("TYPE65280 \\# 1 \"ab\"", RdataError::Quoted),
        ("A \\# 3 0a0000", RdataError::Generic),
        ("A \\# 5 0a00000101", RdataError::Generic),
        ("NS \\# 2 c00c", RdataError::Generic),
        ("TXT \\# 2 0261", RdataError::Generic),
        ("TXT \\# 0", RdataError::Generic),
        ("NSEC \\# 5 0161000000", RdataError::Generic),
    ] {
        assert_eq!(wire(text), Err(expected), "{text:.40}");
    }
}
