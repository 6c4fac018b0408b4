//! Just enough reading of Rust to tell what a build without features compiles, and which names it mentions.
//!
//! Everything here blanks text with spaces and keeps every byte in its place, so that line numbers stay true.

/// The part of `source` that a build for production with the features in `off` switched off may compile:
/// comments, literals and items behind a `#[cfg(…)]` that is certainly false are blank.
pub(crate) fn compiled(source: &str, off: &[&str]) -> String {
    let mut code = blank_comments_and_literals(source.as_bytes());
    let mut at = 0;
    while let Some(start) = find(&code, b"#[cfg(", at) {
        at = start + 1;
        let Some(end) = closing(&code, start + 1) else { break };
        // The literals of the predicate are blank in `code`.
        let predicate = source[start..=end].trim_start_matches("#[cfg(").trim_end_matches(']');
        if holds(predicate.strip_suffix(')').unwrap_or(predicate), off) == Some(false) {
            let item_end = end_of_item(&code, end + 1);
            blank(&mut code[start..item_end]);
        }
    }
    // Only whole characters were blanked, or text that had no others.
    String::from_utf8_lossy(&code).into_owned()
}

/// The modules that `code` (as [`compiled`] gives it) declares in other files.
pub(crate) fn modules(code: &str) -> Vec<&str> {
    let declares = |at: usize| {
        let rest = code[at + "mod".len()..].trim_start();
        let name_length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(name_length);
        (!name.is_empty() && rest.trim_start().starts_with(';')).then_some(name)
    };
    occurrences(code, "mod").filter_map(declares).collect()
}

/// Where `path` occurs in `code` as whole names, also in a grouped import (`use std::{fs, net}` mentions
/// `std::fs`).
pub(crate) fn mentions(code: &str, path: &str) -> Vec<usize> {
    let mut found: Vec<usize> = occurrences(code, path).collect();
    for start in occurrences(code, "use") {
        let end = code[start..].find(';').map_or(code.len(), |length| start + length);
        let import = &code[start + "use".len()..end];
        if import.contains('{') && !found.iter().any(|at| (start..end).contains(at)) {
            let expanded = expand(import.trim());
            found.extend(
                expanded.iter().any(|name| occurrences(name, path).next().is_some()).then_some(start),
            );
        }
    }
    found.sort_unstable();
    found
}

/// What lets a value change behind a shared reference, without `unsafe`. A name ending in `*` stands for all that begin
/// so.
const CHANGING: [&str; 6] = ["Atomic*", "Cell", "LazyCell", "Mutex", "RefCell", "RwLock"];

/// Where `code` declares a `static` whose type lets it change.
pub(crate) fn changing_statics(code: &str) -> Vec<usize> {
    let changes = |name: &str| {
        CHANGING.iter().any(|kind| match kind.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *kind,
        })
    };
    let declares = |at: &usize| {
        // Not a lifetime.
        let item = code[..*at].ends_with(|before: char| before != '\'') || *at == 0;
        let declared = code[*at..].split(['=', ';']).next().unwrap_or_default();
        item && declared.split(|character| !is_name(character)).any(changes)
    };
    occurrences(code, "static").filter(declares).collect()
}

/// The line of a byte, from 1.
pub(crate) fn line(code: &str, at: usize) -> usize {
    code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Every path that an import with groups names: `a::{b, c::{d}}` gives `a::b` and `a::c::d`.
fn expand(import: &str) -> Vec<String> {
    let Some((head, rest)) = import.split_once('{') else { return vec![import.trim().to_owned()] };
    let mut depth = 0usize;
    let mut parts = vec![String::new()];
    for character in rest.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts.iter().flat_map(|part| expand(part)).map(|part| format!("{}{part}", head.trim())).collect()
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Where `needle` occurs in `text`, not as part of longer names.
fn occurrences(text: &str, needle: &str) -> impl Iterator<Item = usize> {
    text.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + needle.len()..].chars().next();
        !before.is_some_and(is_name) && (needle.ends_with([':', '!']) || !after.is_some_and(is_name))
    })
}

/// Whether a `cfg` predicate holds in a production build with the features in `off` switched off; `None` when
/// that depends on more.
fn holds(predicate: &str, off: &[&str]) -> Option<bool> {
    let predicate = predicate.trim();
    let inner = |name: &str| predicate.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')');
    if let Some(inside) = inner("not") {
        return holds(inside, off).map(|held| !held);
    }
    if let Some(inside) = inner("all") {
        let parts: Vec<_> = split_list(inside).map(|part| holds(part, off)).collect();
        return if parts.contains(&Some(false)) {
            Some(false)
        } else {
            parts.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
        };
    }
    if let Some(inside) = inner("any") {
        let parts: Vec<_> = split_list(inside).map(|part| holds(part, off)).collect();
        return if parts.contains(&Some(true)) {
            Some(true)
        } else {
            parts.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
        };
    }
    let feature = predicate.strip_prefix("feature").and_then(|rest| rest.trim_start().strip_prefix('='));
    match feature.map(|name| name.trim().trim_matches('"')) {
        Some(name) if off.contains(&name) => Some(false),
        Some(_) => None,
        None if predicate == "test" => Some(false),
        None => None,
    }
}

/// The parts between commas outside parentheses.
fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0usize;
    let parts = text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty())
}

/// Where the item, field or arm ends that begins at `at` with further attributes: behind its block, `;` or
/// `,`, or before the end of what surrounds it.
fn end_of_item(code: &[u8], mut at: usize) -> usize {
    loop {
        while code.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        match (code.get(at), closing(code, at + 1)) {
            (Some(b'#'), Some(end)) => at = end + 1,
            _ => break,
        }
    }
    let mut angles = 0usize;
    while let Some(byte) = code.get(at) {
        match byte {
            b'(' | b'[' | b'{' => match closing(code, at) {
                Some(end) if *byte == b'{' => return end + 1,
                Some(end) => at = end,
                None => return code.len(),
            },
            b')' | b']' | b'}' => return at,
            b'<' => angles += 1,
            b'>' if !matches!(code[at - 1], b'-' | b'=') => angles = angles.saturating_sub(1),
            b';' => return at + 1,
            b',' if angles == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    code.len()
}

/// Where the bracket at `open` closes.
fn closing(code: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn find(code: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    code[from..].windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

fn blank(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

fn blank_comments_and_literals(source: &[u8]) -> Vec<u8> {
    let mut code = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        let length = comment_length(&source[at..]).or_else(|| literal_length(source, at));
        if let Some(length) = length {
            let end = (at + length).min(source.len());
            blank(&mut code[at..end]);
            at = end;
        } else {
            at += 1;
        }
    }
    code
}

/// The length of the comment that `rest` begins with. Block comments nest.
fn comment_length(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// The length of the string or character literal that begins at `at`, without its prefix (`b`, `r`, `br`).
fn literal_length(source: &[u8], at: usize) -> Option<usize> {
    let rest = &source[at..];
    let is_name =
        |at: usize| source.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let raw = |hashes_at: usize| {
        let hashes = rest[hashes_at..].iter().take_while(|byte| **byte == b'#').count();
        let open = hashes_at + hashes;
        let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
        (rest.get(open) == Some(&b'"'))
            .then(|| find(rest, &end, open + 1).map_or(rest.len(), |at| at + end.len()))
    };
    match rest {
        [b'r', b'"' | b'#', ..] if at == 0 || !is_name(at - 1) || source[at - 1] == b'b' => raw(1),
        [b'"', ..] => Some(quoted_length(rest, b'"')),
        // A character, not a lifetime: escaped, or closed behind one character.
        [b'\'', b'\\', ..] => Some(quoted_length(rest, b'\'')),
        [b'\'', ..] => {
            let width = (1..=4).find(|width| rest.get(1 + width) == Some(&b'\''))?;
            let one = std::str::from_utf8(&rest[1..1 + width]).is_ok_and(|text| text.chars().count() == 1);
            one.then_some(width + 2)
        }
        _ => None,
    }
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> String {
        compiled(source, &["native"]).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        let table = [
            ("a // b\nc", "a c"),
            ("a /* b /* c */ d */ e", "a e"),
            (r#"a("x \" y", 'z', '\'', '"', b"q") b"#, "a( , , , , b ) b"),
            (r###"a r#"x " y"# b br"z" c"###, "a b b c"),
            ("fn a<'b>(c: &'b str, d: 'ä') {}", "fn a<'b>(c: &'b str, d: ) {}"),
            ("for r in r { r# }", "for r in r { r# }"),
        ];
        for (source, expected) in table {
            assert_eq!(words(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_configured_away_is_no_code() {
        let table = [
            ("#[cfg(test)] mod tests { fn a() { b } } c", "c"),
            ("#[cfg(test)] #[allow(x)] fn a<B, C>(d: [u8; 2]) -> Vec<u8> { e } f", "f"),
            ("#[cfg(feature = \"native\")] mod a; mod b;", "mod b;"),
            ("#[cfg(feature = \"native\")] pub use a::{b, c}; d", "; d"),
            ("enum A { #[cfg(test)] B(C, D), E, #[cfg(test)] F }", "enum A { E, }"),
            ("#[cfg(all(feature = \"native\", unix))] a; b", "b"),
            ("#[cfg(any(test, not(not(feature = \"native\"))))] a; b", "b"),
            ("#[cfg(not(test))] a;", "#[cfg(not(test))] a;"),
            ("#[cfg(target_arch = \"wasm32\")] a;", "#[cfg(target_arch = )] a;"),
            ("#[cfg(feature = \"other\")] a;", "#[cfg(feature = )] a;"),
            ("#[cfg(any(unix, test))] a;", "#[cfg(any(unix, test))] a;"),
        ];
        for (source, expected) in table {
            assert_eq!(words(source), expected, "{source}");
        }
    }

    #[test]
    fn modules_of_other_files_are_found() {
        let source =
            "mod a;\npub(crate) mod b ;\nmod c { fn modern() {} }\n// mod d;\n#[cfg(test)]\nmod e;\n";
        assert_eq!(modules(&compiled(source, &[])), ["a", "b"]);
    }

    #[test]
    fn names_are_whole_and_imports_are_read_through() {
        let table = [
            ("a(std::fs::read)", "std::fs", 1),
            ("std::fsx my_std::fs", "std::fs", 0),
            ("use std::{collections::BTreeMap, fs};", "std::fs", 1),
            ("use std::{fs::{self, File}, net};", "std::fs", 1),
            ("use std::{net as n, fmt}; use a::{fs};", "std::fs", 0),
            ("tokio::spawn(a); mytokio::spawn", "tokio::", 1),
        ];
        for (source, path, count) in table {
            assert_eq!(mentions(&compiled(source, &[]), path).len(), count, "{source}");
        }
    }

    #[test]
    fn lines_stay_true() {
        let code = compiled("/* a\nb */\n#[cfg(test)]\nmod c {\n}\n\"d\n\"; e", &[]);
        assert_eq!(mentions(&code, "e").iter().map(|at| line(&code, *at)).collect::<Vec<_>>(), [7]);
    }
}
