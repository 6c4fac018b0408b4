//! The page that browsers are served: `index.html` at the root and to those who follow an invitation, its other files below
//! `/page/`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Arc, LazyLock},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
    web::Bytes,
};

use crate::HubError;

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What belongs to a page, by the ending of its name. Other files of the directory are left alone.
const KINDS: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("json", "application/json"),
];

/// The page runs its own scripts and styles and no others, and may talk to any hub.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src * ws: wss:; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = "index.html";

/// The files of a page, in memory; none if there is no page.
#[derive(Clone, Default)]
pub struct Page(Arc<BTreeMap<String, File>>);

struct File {
    kind: &'static str,
    plain: Bytes,
    /// What lay beside it with `.gz` behind its name.
    gzip: Option<Bytes>,
}

impl Page {
    /// The page that was there when this program was built.
    pub fn embedded() -> Self {
        static PAGE: LazyLock<Page> = LazyLock::new(|| {
            let files = EMBEDDED.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from_static(bytes)));
            Page::of(&files.collect())
        });
        PAGE.clone()
    }

    /// The page in `directory`, read now.
    pub fn read(directory: &Path) -> Result<Self, HubError> {
        let refuse = |source| HubError::Page { directory: directory.display().to_string(), source };
        let page = Self::of(&contents(directory).map_err(refuse)?);
        if page.0.contains_key(INDEX) {
            return Ok(page);
        }
        Err(refuse(io::Error::new(io::ErrorKind::NotFound, format!("there is no {INDEX}"))))
    }

    fn of(contents: &BTreeMap<String, Bytes>) -> Self {
        let file = |(name, plain): (&String, &Bytes)| {
            let (_, ending) = name.rsplit_once('.')?;
            let (_, kind) = KINDS.iter().find(|(known, _)| *known == ending)?;
            let gzip = contents.get(&format!("{name}.gz")).cloned();
            Some((name.clone(), File { kind, plain: plain.clone(), gzip }))
        };
        Self(Arc::new(contents.iter().filter_map(file).collect()))
    }

    /// The page itself, if there is one.
    pub fn index(&self, request: &HttpRequest) -> Option<HttpResponse> {
        self.file(INDEX, request)
    }

    /// One of its files, if there is one of this name.
    pub fn file(&self, name: &str, request: &HttpRequest) -> Option<HttpResponse> {
        let file = self.0.get(name)?;
        let mut response = HttpResponse::Ok();
        response
            .insert_header((CONTENT_TYPE, file.kind))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((VARY, "accept-encoding"));
        let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok());
        Some(match &file.gzip {
            Some(gzip) if accepted.is_some_and(|accepted| accepted.contains("gzip")) => {
                response.insert_header((CONTENT_ENCODING, "gzip")).body(gzip.clone())
            }
            _ => response.body(file.plain.clone()),
        })
    }
}

fn contents(directory: &Path) -> io::Result<BTreeMap<String, Bytes>> {
    let mut contents = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && path.is_file()
        {
            contents.insert(name.to_owned(), fs::read(&path)?.into());
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use actix_web::{body::to_bytes, test::TestRequest};

    use super::*;

    #[actix_web::test]
    async fn a_page_is_served_as_it_is_or_compressed_and_nothing_else_is() {
        let directory = std::env::temp_dir().join(format!("meshwork-page-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
        write("app.js", "plain");
        assert!(Page::read(&directory).is_err(), "a page has an index");
        write("index.html", "<p>");
        write("app.js.gz", "short");
        write("secret.key", "no");
        let page = Page::read(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();

        let plain = TestRequest::default().to_http_request();
        let gzip = TestRequest::default().insert_header(("accept-encoding", "br, gzip")).to_http_request();
        let kind = |response: &HttpResponse| response.headers().get(CONTENT_TYPE).cloned().unwrap();
        assert_eq!(kind(&page.index(&plain).unwrap()), "text/html; charset=utf-8");
        let body = |response: Option<HttpResponse>| to_bytes(response.unwrap().into_body());
        assert_eq!(body(page.file("app.js", &plain)).await.unwrap(), "plain");
        assert_eq!(body(page.file("app.js", &gzip)).await.unwrap(), "short");
        for name in ["secret.key", "app.js.gz", "../app.js", ""] {
            assert!(page.file(name, &gzip).is_none(), "{name}");
        }
    }
}
