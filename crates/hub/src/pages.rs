//! The few pages that a browser is shown.

use meshwork_identity::RoomCode;

/// How to get the page that a browser joins with, in HTML.
pub const BUILD_PAGE: &str = "<p>There is a page with which a browser becomes a member, but it was not there when this \
program was built. <code>cargo xtask web</code> builds it (the command says what it takes); after that, build this program \
again, or start it with <code>--page target/page</code>.</p>";

/// The hub without a page to serve.
pub(crate) fn home() -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>meshwork hub</title><h1>meshwork hub</h1>\
         <p>This server introduces members of a mesh to each other: rooms, authentication, signalling. What they share \
         goes directly from peer to peer and never through here.</p>{BUILD_PAGE}\
         <p>Nodes connect to <code>/ws</code>; counts are at <a href=api/stats><code>/api/stats</code></a>.</p></html>"
    )
}

pub(crate) const NO_ROOM: &str =
    "A room code takes 6 characters of A-Z and 0-9, such as A3B7K9. Check the link.";

/// How to use an invitation. The part of the link behind `#` stays in the browser. Whoever gave the link may have put
/// anything there, and the command is pasted into shells: a link that could end the quotation is not shown.
pub(crate) fn join(room: RoomCode) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <meta name=referrer content=no-referrer><title>Join room {room}</title>\
         <h1>Room {room}</h1>\
         <p>This link invites you into a mesh. Give the whole link, with the part behind <code>#</code>, to a node:</p>\
         <pre id=command>meshwork node --join '&lt;this link&gt;'</pre>\
         <p>The part behind <code>#</code> holds the secret. Your browser does not send it to this server.</p>\
         <script>if (/^[0-9A-Za-z:\\/.#_\\[\\]-]+$/.test(location.href)) document.getElementById('command').textContent = \
         \"meshwork node --join '\" + location.href + \"'\"</script>\
         </html>"
    )
}
