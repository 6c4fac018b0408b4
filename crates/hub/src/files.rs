//! The page that browsers are served, if there is one.

use std::{collections::BTreeMap, fs, io, path::Path};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
        REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    },
    web::Bytes,
};

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

/// The files of one directory, in memory.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<String, File>);

struct File {
    kind: &'static str,
    plain: Bytes,
    /// What lay beside it with `.gz` behind its name.
    gzip: Option<Bytes>,
}

impl Files {
    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == ending) else { continue };
            let gzip = fs::read(path.with_file_name(format!("{name}.gz"))).ok().map(Bytes::from);
            files.insert(name.to_owned(), File { kind, plain: fs::read(&path)?.into(), gzip });
        }
        if !files.contains_key(INDEX) {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {INDEX}")));
        }
        Ok(Self(files))
    }

    /// The page itself.
    pub(crate) fn index(&self, request: &HttpRequest) -> Option<HttpResponse> {
        self.get(INDEX, request)
    }

    pub(crate) fn get(&self, name: &str, request: &HttpRequest) -> Option<HttpResponse> {
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
        assert!(Files::read(&directory).is_err(), "a page has an index");
        write("index.html", "<p>");
        write("app.js.gz", "short");
        write("secret.key", "no");
        let files = Files::read(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();

        let plain = TestRequest::default().to_http_request();
        let gzip = TestRequest::default().insert_header(("accept-encoding", "br, gzip")).to_http_request();
        let kind = |response: &HttpResponse| response.headers().get(CONTENT_TYPE).cloned().unwrap();
        assert_eq!(kind(&files.index(&plain).unwrap()), "text/html; charset=utf-8");
        let body = |response: Option<HttpResponse>| to_bytes(response.unwrap().into_body());
        assert_eq!(body(files.get("app.js", &plain)).await.unwrap(), "plain");
        assert_eq!(body(files.get("app.js", &gzip)).await.unwrap(), "short");
        for name in ["secret.key", "app.js.gz", "../app.js", ""] {
            assert!(files.get(name, &gzip).is_none(), "{name}");
        }
    }
}
