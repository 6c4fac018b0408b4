//! Puts the page, if it has been built, where `src/page.rs` includes it from: that of `MESHWORK_PAGE`, else the one in the
//! target directory, where `cargo xtask web` leaves it.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=MESHWORK_PAGE");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut listed = String::new();
    if env::var_os("CARGO_FEATURE_NATIVE").is_some()
        && let Some(directory) = page(&out)?
    {
        println!("cargo:rerun-if-changed={}", directory.display());
        listed = copy(&directory, &out.join("page"))?;
    }
    fs::write(out.join("page.rs"), format!("const EMBEDDED: &[(&str, &[u8])] = &[{listed}];\n"))
}

/// Where the page is, or will be.
fn page(out: &Path) -> io::Result<Option<PathBuf>> {
    if let Some(named) = env::var_os("MESHWORK_PAGE") {
        let directory = PathBuf::from(named);
        if !directory.join("index.html").is_file() {
            let refusal = format!("MESHWORK_PAGE: there is no index.html in {}", directory.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, refusal));
        }
        return Ok(Some(directory));
    }
    let Some(target) = out.ancestors().find(|path| path.join("CACHEDIR.TAG").is_file()) else {
        return Ok(None);
    };
    let directory = target.join("page");
    // Cargo builds again, every time, what watches a path that is not there.
    fs::create_dir_all(&directory)?;
    Ok(Some(directory))
}

/// Copies the files, so that they stay what they are while they are compiled in. Returns their list, as code; an empty
/// one if there is no page.
fn copy(from: &Path, to: &Path) -> io::Result<String> {
    let mut listed = String::new();
    if !from.join("index.html").is_file() {
        return Ok(listed);
    }
    fs::create_dir_all(to)?;
    let mut names: Vec<_> =
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let (source, copy) = (from.join(&name), to.join(&name));
        // The types are for those who write pages.
        let wanted = source.extension().is_some_and(|ending| ending != "ts");
        if wanted && source.is_file() {
            fs::copy(source, &copy)?;
            let _ = write!(listed, "({:?}, include_bytes!({:?})),", name.to_string_lossy(), copy);
        }
    }
    Ok(listed)
}
