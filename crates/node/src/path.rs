//! Paths as people write them.

/// The keys of a path such as `users/ada/name`: from the root downwards, between slashes; a leading slash may be
/// there. Inside a key, `~1` stands for a slash and `~0` for `~` (as in JSON pointers, RFC 6901). The empty path is
/// the root.
///
/// ```
/// assert_eq!(meshwork::parse_path("users/ada/name"), ["users", "ada", "name"]);
/// assert_eq!(meshwork::parse_path("/a~1b/~0"), ["a/b", "~"]);
/// assert!(meshwork::parse_path("").is_empty());
/// ```
pub fn parse_path(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Vec::new();
    }
    path.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect()
}
