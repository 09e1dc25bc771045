//! Catalogues as they are uploaded: what is read, what is refused, what comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching::file::{
    AnswerWriter, Encoding, FileError, FileFormat, FileReader, LONGEST_ROW, Legibility, Line, Output,
};
use matching::{Blocks, Nomenclatures, RowAnswer};

fn read_in(chunks: &[&[u8]], format: FileFormat, encoding: Encoding) -> Result<Vec<Line>, FileError> {
    let mut reader = FileReader::new(format, encoding, &Nomenclatures::default());
    let mut lines = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()).chain([&&b""[..]]) {
        reader.feed(chunk);
        while let Some(line) = reader.next_line()? {
            lines.push(line);
        }
    }
    Ok(lines)
}

fn read(text: &[u8]) -> Result<Vec<Line>, FileError> {
    read_in(&[text], FileFormat::Csv, Encoding::Utf8)
}

/// Key and MEF of every row.
fn rows(lines: &[Line]) -> Vec<(String, String)> {
    let row = |line: &Line| {
        let names = line.record.header().names();
        let cell = |wanted: &str| {
            let place = names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
            place.map(|place| line.record.cells()[place].clone()).unwrap_or_default()
        };
        (line.record.row().key.to_owned(), cell("CODEMEF"))
    };
    lines.iter().map(row).collect()
}

#[test]
fn spreadsheets_write_csv_in_many_ways() {
    for text in [
        "CODEFORMATIONACCUEIL;CODEMEF\n1;3113121321\n2;\n",
        "CODEFORMATIONACCUEIL,CODEMEF\n1,3113121321\n2,\n",
        "\u{feff}CODEFORMATIONACCUEIL;CODEMEF\r\n1;3113121321\r\n2;\r\n",
        "\r\n\"CODEFORMATIONACCUEIL\";\"CODEMEF\"\r\"1\";\"3113121321\"\r\"2\";",
        "sep=;\r\nCODEFORMATIONACCUEIL;CODEMEF\r\n1;3113121321\r\n\r\n2\r\n",
        "codeformationaccueil;CodeMef;Commune, préférée, autre, encore\n1;3113121321;a,b\n2;;\n",
        "Côdeformationaccueil;CODEMEF;;\n1;3113121321;;\n2;;;;;\n",
    ] {
        let lines = read(text.as_bytes()).unwrap();
        let expected = [("1".to_owned(), "3113121321".to_owned()), ("2".to_owned(), String::new())];
        assert_eq!(rows(&lines), expected, "{text:?}");
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2]);
        assert!(lines.iter().all(|line| line.content == Legibility::Row), "{text:?}");
    }
}

#[test]
fn chunks_of_any_size_give_the_same_rows() {
    let text = "\u{feff}CODEFORMATIONACCUEIL;CODEMEF;Préférée\r\n1;\"31;\r\n\"\"x\"\"\";é\r\n2;b;\"\"\r\n".as_bytes();
    let whole = read(text).unwrap();
    assert_eq!(whole[0].record.cells()[1], "31;\r\n\"x\"");
    let json =
        "[ {\"CODEFORMATIONACCUEIL\": \"a]},\\\"\", \"é\": [1, {\"x\": \"]\"}]} ,\n{\"CODEFORMATIONACCUEIL\":2}]";
    let objects = read_in(&[json.as_bytes()], FileFormat::Json, Encoding::Utf8).unwrap();
    assert_eq!(objects.len(), 2);
    for size in 1..text.len().max(json.len()) {
        let chunks: Vec<&[u8]> = text.chunks(size).collect();
        assert_eq!(read_in(&chunks, FileFormat::Csv, Encoding::Utf8).unwrap(), whole, "{size}");
        let chunks: Vec<&[u8]> = json.as_bytes().chunks(size).collect();
        assert_eq!(read_in(&chunks, FileFormat::Json, Encoding::Utf8).unwrap(), objects, "{size}");
    }
}

/// A file put together from two, each with its mark.
#[test]
fn a_byte_order_mark_that_comes_alone_ends_no_file() {
    let text = "\u{feff}CODEFORMATIONACCUEIL;x\n\u{feff}1;a\n2;b\n".as_bytes();
    let whole = read(text).unwrap();
    assert_eq!(whole.len(), 2);
    for first in 0..text.len() {
        for second in first..text.len() {
            let chunks = [&text[..first], &text[first..second], &text[second..]];
            assert_eq!(read_in(&chunks, FileFormat::Csv, Encoding::Utf8).unwrap(), whole, "{first}, {second}");
        }
    }
}

#[test]
fn iso_8859_1_is_read_where_it_is_told() {
    let text = b"CODEFORMATIONACCUEIL;Pr\xe9f\xe9r\xe9e\n1;caf\xe9 \x80\n";
    assert_eq!(read(text), Err(FileError::HeaderEncoding));
    let lines = read_in(&[text], FileFormat::Csv, Encoding::Latin1).unwrap();
    assert_eq!(lines[0].record.header().names()[1], "Préférée");
    assert_eq!(lines[0].record.cells()[1], "café €");
}

#[test]
fn a_row_that_is_not_utf_8_comes_back_and_the_file_goes_on() {
    let lines = read(b"CODEFORMATIONACCUEIL;x\n1;caf\xe9\n2;b;c;d\n3;ok\n").unwrap();
    assert!(matches!(&lines[0].content, Legibility::Unreadable(why) if why.contains("charset")));
    assert!(matches!(&lines[1].content, Legibility::Unreadable(why) if why.contains("c | d")), "nothing is lost");
    assert_eq!(lines[2].content, Legibility::Row);
    assert_eq!(lines[1].record.cells(), ["2", "b"]);
}

#[test]
fn what_is_no_catalogue_is_refused_before_the_first_row() {
    let wide = vec![b';'; 5_000];
    let endless = [b"\"CODEFORMATIONACCUEIL;".to_vec(), vec![b'x'; 2 * LONGEST_ROW]].concat();
    for (text, expected) in [
        (&b""[..], "vide"),
        (b"\n\r\n\n", "vide"),
        (b"\xef\xbb\xbf", "vide"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
        (b"\x00\x01\x02\x03", "Excel"),
        (b"\xff\xfeC\x00O\x00", "UTF-16"),
        (b"UAI;CODEMEF\n1;2\n", "Colonnes trouvées : UAI, CODEMEF"),
        (b"CODEFORMATIONACCUEIL;CODEMEF;codemef\n1;2;3\n", "CODEMEF"),
        (&wide, "1024"),
        (&endless, "guillemet"),
    ] {
        let error = read(text).expect_err("refused");
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn rows_over_64_kib_are_told_and_passed_over() {
    let fits = "x".repeat(LONGEST_ROW - 1);
    let beyond = "x".repeat(LONGEST_ROW);
    let text = format!("CODEFORMATIONACCUEIL;x\n1;{fits}\n2;{beyond}\n3;{}\n4;y\n", ";".repeat(9_000));
    let mut reader = FileReader::new(FileFormat::Csv, Encoding::Utf8, &Nomenclatures::default());
    let mut found = Vec::new();
    for chunk in text.as_bytes().chunks(1_000).chain([&b""[..]]) {
        reader.feed(chunk);
        while let Some(line) = reader.next_line().unwrap() {
            found.push((line.number, line.content == Legibility::TooLong, line.record.cells().len()));
        }
    }
    assert_eq!(found, [(1, false, 2), (2, true, 0), (3, true, 0), (4, false, 2)]);
    let text = format!("{{\"CODEFORMATIONACCUEIL\":1}}\n{{\"CODEFORMATIONACCUEIL\":\"{beyond}\"}}\n{{\"a\":3}}");
    let lines = read_in(&[text.as_bytes()], FileFormat::Json, Encoding::Utf8).unwrap();
    let contents: Vec<&Legibility> = lines.iter().map(|line| &line.content).collect();
    assert_eq!(contents, [&Legibility::Row, &Legibility::TooLong, &Legibility::Row]);
}

#[test]
fn json_comes_as_an_array_or_an_object_a_line() {
    for text in [
        r#"[{"CODEFORMATIONACCUEIL": 1, "CODEMEF": "3113121321"}, {"codeformationaccueil": "2"}]"#,
        "{\"CODEFORMATIONACCUEIL\": 1, \"CODEMEF\": \"3113121321\"}\r\n\n{\"codeformationaccueil\": \"2\"}\n",
        "\u{feff} [\n{\n\"CODEFORMATIONACCUEIL\":1,\"CODEMEF\":3113121321},\n{\"codeformationaccueil\":\"2\",\"CODEMEF\":null}\n]\n",
    ] {
        let lines = read_in(&[text.as_bytes()], FileFormat::Json, Encoding::Utf8).unwrap();
        let expected = [("1".to_owned(), "3113121321".to_owned()), ("2".to_owned(), String::new())];
        assert_eq!(rows(&lines), expected, "{text}");
    }
    for (text, expected) in [
        ("", FileError::Empty),
        ("  ", FileError::Empty),
        ("[]", FileError::Empty),
        ("CODEFORMATIONACCUEIL;x\n", FileError::NotJson),
        ("[1, 2]", FileError::NotJson),
        ("{\n\"CODEFORMATIONACCUEIL\": 1}", FileError::NotJson),
    ] {
        assert_eq!(read_in(&[text.as_bytes()], FileFormat::Json, Encoding::Utf8), Err(expected), "{text}");
    }
    let keyless = read_in(&[br#"[{"uai": 1}]"#], FileFormat::Json, Encoding::Utf8).unwrap_err();
    assert!(matches!(keyless, FileError::NoKey { .. }));
    let cut = read_in(&[br#"[{"CODEFORMATIONACCUEIL":1}, 7, {"CODEFO"#], FileFormat::Json, Encoding::Utf8).unwrap();
    let whole: Vec<bool> = cut.iter().map(|line| line.content == Legibility::Row).collect();
    assert_eq!(whole, [true, false, false]);
}

fn written(text: &str, format: FileFormat, output: Output) -> String {
    let mut writer = AnswerWriter::new(output, Blocks { insertion: true, pay: false, success: false });
    let mut out = Vec::new();
    for line in read_in(&[text.as_bytes()], format, Encoding::Utf8).unwrap() {
        writer.line(&line, &RowAnswer::unreadable("raison"), &mut out);
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn cells_come_back_byte_for_byte_with_ours_behind() {
    let text = "CODEFORMATIONACCUEIL;Préférée;raison;raison\n 1;\" a; b \";\"x\"\"y\";z\n";
    let csv = written(text, FileFormat::Csv, Output::Csv);
    let mut lines = csv.lines();
    let names = lines.next().unwrap();
    assert!(names.starts_with("CODEFORMATIONACCUEIL;Préférée;raison;raison;code_certification_retenu;"), "{names}");
    assert!(names.contains(";couverture;raison_appariement;precision;"), "{names}");
    let row = lines.next().unwrap();
    assert!(row.starts_with(" 1;\" a; b \";\"x\"\"y\";z;;;;"), "{row}");
    assert!(row.contains(";non_couvert;ligne_illisible;raison;"), "{row}");

    let object: serde_json::Value = serde_json::from_str(&written(text, FileFormat::Csv, Output::Ndjson)).unwrap();
    assert_eq!(object["Préférée"], " a; b ");
    assert_eq!((&object["raison"], &object["raison_2"]), (&"x\"y".into(), &"z".into()));
    assert_eq!(object["raison_appariement"], "ligne_illisible");
    assert!(object["taux_en_formation"].is_null());

    let text = "[{\"CODEFORMATIONACCUEIL\":1.50,\n \"x\": {\"y\": 12345678901234567890123}, \"source\":\"a\\nb\"}]";
    let line = written(text, FileFormat::Json, Output::Ndjson);
    assert!(line.starts_with(
        "{\"CODEFORMATIONACCUEIL\":1.50, \"x\": {\"y\": 12345678901234567890123}, \"source\":\"a\\nb\",\"code_certification_retenu\":null,"
    ));
    assert!(line.contains("\"source_appariement\":null") && line.ends_with("}\n"));
}

#[test]
fn an_answer_that_is_sent_again_keeps_its_columns() {
    let text = "CODEFORMATIONACCUEIL;raison;raison_appariement\n1;a;b\n";
    let once = written(text, FileFormat::Csv, Output::Csv);
    assert!(once.lines().next().unwrap().contains(";raison_appariement_2;"));
    let twice = written(&once, FileFormat::Csv, Output::Csv);
    let names: Vec<&str> = twice.lines().next().unwrap().split(';').collect();
    let distinct: std::collections::BTreeSet<&&str> = names.iter().collect();
    assert_eq!(names.len(), distinct.len(), "{names:?}");
}

#[test]
fn what_could_not_be_read_comes_back() {
    let text = "{\"CODEFORMATIONACCUEIL\":1}\n{oops}\n[2]\n";
    let lines = written(text, FileFormat::Json, Output::Ndjson);
    let second: serde_json::Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&second["ligne"], &second["raison"]), (&"{oops}".into(), &"ligne_illisible".into()));
    assert_eq!(lines.lines().count(), 3);
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn only_the_key_and_ours_where_that_is_asked_for() {
    for (output, start) in [
        (Output::Csv, "CODEFORMATIONACCUEIL;code_certification_salaire;"),
        (Output::Ndjson, "{\"CODEFORMATIONACCUEIL\":\"1\",\"code_certification_salaire\":"),
    ] {
        let blocks = Blocks { insertion: false, pay: true, success: false };
        let mut writer = AnswerWriter::new(output, blocks).retained_only();
        let mut out = Vec::new();
        for line in read(b"x;CODEFORMATIONACCUEIL;couverture_salaire\na;1;c\n").unwrap() {
            writer.line(&line, &RowAnswer::unreadable(""), &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains("appariement"), "nothing of theirs is left to collide with");
    }
}

#[test]
fn an_answer_that_ends_early_says_where() {
    let writer = AnswerWriter::new(Output::Ndjson, Blocks::ALL);
    let mut out = Vec::new();
    writer.continuation(1_200, "g7", &mut out);
    assert_eq!(out, b"{\"suite\":{\"ligne\":1200,\"generation\":\"g7\"}}\n");
}
