//! Every error and warning as a person and as a script sees it: one program for each, drawn.

use crux_khan::diagnostic::{Kind, render};
use crux_khan::{Diagnostic, check_format, compile};

/// A program for each kind, and more where a mistake has a help of its own.
const PROGRAMS: &[(&str, &str)] = &[
    ("character", "web := pick(web, 2, ALL);\npick(db, 1, {ALL})\nx := [1]\n"),
    ("character_hidden", "# a comment\u{202e} that lies\npick(web, 1, ALL)\n"),
    ("string", "pick(\"web, 1, ALL)\npick(\"a\\nb\", 1, ALL)\npick('web', 1, ALL)\n"),
    ("number", "n := 1234567890123456789\nm := 1.\nk := 2x3\n"),
    ("syntax", "web = pick(web, 2, ALL)\npick(db, 2 ALL)\npick(\n  cache,\n  1,\n  LABEL(ssd)\n"),
    ("syntax_operators", "x := ALL && LABEL(a)\ny := 1 - -2\nz := (\"n1\" | \"n2\")\n"),
    (
        "syntax_words",
        "pick(start, 1, ALL)\npik(web, 1, ALL)\npick(web, 1, ALL, most = 2)\npick(db, 1, ALL, max = 1, max = 2)\n",
    ),
    (
        "syntax_afters",
        "start a after n + 1 of b\nstart a after b, c\nstart a after b.redy\nstart a after 2 b\nx := 1\n",
    ),
    ("name", "pick(\"my web\", 1, LABEL(\"a=b\"), spread = \"1zone\")\n"),
    ("type", "n := 3\npick(web, LABEL(db), n & ALL)\nm := n + !SIZE(n)\n"),
    (
        "unbound",
        "n := 3\nfrontend := pick(web, n-1, ALL)\npick(db, 1, frontedn)\npick(cache, 1, web | elsewhere)\n",
    ),
    ("bound_twice", "n := 1\npick(web, n, ALL)\nn := 2\n"),
    ("picked_twice", "pick(web, 1, LABEL(a))\npick(db, 1, ALL)\npick(web, 2, LABEL(b))\n"),
    ("circle", "web := pick(web, 2, !db)\ndb := pick(db, 1, LABEL(ssd) & web)\na := b\nb := !a\n"),
    (
        "wait_circle",
        "pick(a, 1, ALL)\npick(b, 1, ALL)\nstart a after 50% of b\nstart b after a.start\n",
    ),
    ("not_picked", "pick(web, 1, ALL)\nstart web after dbs\nstart wep after 2 of web\n"),
    ("no_effect", "pick(web, 1, ALL)\nLABEL(db) | !ALL\n3\n"),
    ("empty", "# nothing yet\n"),
    ("unused", "n := 3\npick(web, 2, ALL)\n"),
    ("pickh", "pickh(web, 2, ALL)\n"),
    ("original", "pick(web, 2, !LABEL(KV) & LABEL(ssd))\n"),
];

/// All that is found in a program, drawn and as JSON.
fn shown(text: &str, found: &[Diagnostic]) -> String {
    let json: Vec<String> = found
        .iter()
        .map(|it| serde_json::to_string(&it.locate("site.khan", text)).expect("plain values"))
        .collect();
    format!("{}\n{}", render("site.khan", text, found), json.join("\n"))
}

#[test]
fn every_kind_is_drawn_with_its_place() {
    let mut seen = Vec::new();
    for (name, text) in PROGRAMS {
        let compiled = compile(text);
        let found = if *name == "original" { compiled.original } else { compiled.diagnostics };
        seen.extend(found.iter().map(|it| it.kind));
        insta::assert_snapshot!(*name, shown(text, &found));
    }
    let elsewhere = [
        Kind::TooLarge,
        Kind::Encoding,
        Kind::TooDeep,
        Kind::TooManyPicks,
        Kind::Format,
        Kind::More,
    ];
    for kind in Kind::ALL.into_iter().filter(|kind| !elsewhere.contains(kind)) {
        assert!(seen.contains(&kind), "no program has {kind}");
    }
}

#[test]
fn programs_beyond_a_bound_are_refused_with_a_place() {
    let levels = format!("x := {}ALL{}\n", "(".repeat(64), ")".repeat(64));
    let picks: String = (0..257).map(|at| format!("pick(s{at}, 1, ALL)\n")).collect();
    let mut large = "pick(web, 2, ALL)\n".to_owned();
    large.push_str(&"#".repeat(64 * 1024 + 1 - large.len()));
    let line = "a | ".repeat(256 * 1024);
    for (name, text) in [("levels", levels), ("picks", picks), ("large", large), ("line", line)] {
        let found = compile(&text).diagnostics;
        let shown = shown(&text, &found);
        assert!(shown.len() < 2000, "{}", shown.len());
        insta::assert_snapshot!(name, shown);
    }
    let exact = format!("pick(web, 2, ALL)\n{}", "#".repeat(64 * 1024 - 18));
    assert_eq!((exact.len(), compile(exact).diagnostics), (64 * 1024, vec![]));
    let bytes = b"pick(web, 2, ALL)\n# \xff\n";
    let found = compile(bytes).diagnostics;
    insta::assert_snapshot!("encoding", shown(&String::from_utf8_lossy(bytes), &found));
}

#[test]
fn another_form_is_an_error_where_it_begins() {
    let text = "# é\nn := 1\npick(web, n,  ALL)\n";
    insta::assert_snapshot!("format", shown(text, &check_format(text).unwrap_err()));
    let place = |text: &str| {
        check_format(text).map_err(|found| {
            let at = found[0].locate("f", text);
            (at.line, at.column, at.end)
        })
    };
    assert_eq!(place("n := 1"), Err((1, 7, 7)), "the end of the line is missing");
    assert_eq!(place("n := 1\n\n"), Err((2, 1, 1)));
    assert_eq!(place("n := 1\n"), Ok(()));
    assert_eq!(check_format("n := ").unwrap_err()[0].kind, Kind::Syntax);
}

#[test]
fn a_line_that_is_too_long_to_draw_is_cut() {
    let text =
        format!("pick(web, 2, {}, x{})\n", "ALL | ".repeat(5000) + "ALL", " ".repeat(20_000));
    let found = compile(&text).diagnostics;
    assert_eq!(found[0].locate("f", &text).column, 13 + 6 * 5000 + 3 + 1 + 2);
    let drawn = render("site.khan", &text, &found);
    assert!(drawn.len() < 2000 && drawn.contains('^'), "{drawn}");
}
