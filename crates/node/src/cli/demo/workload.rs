//! The generated workload: users and chats, edited from everywhere at once.

use meshwork::{Edit, Random, Value};

/// The document that everybody edits.
pub(crate) const DOCUMENT: &str = "app";
/// The document in which each node tells the time.
pub(crate) const CLOCKS: &str = "clocks";

/// Everybody edits the same few chats and users, so that concurrent edits meet.
const CHATS: u64 = 200;
const USERS: u64 = 100;

/// One transaction in so many tells the time, by which propagation is measured.
const TELL_TIME_EVERY: u64 = 10;

/// The next transaction of `node`: the document, and the edits.
pub(crate) fn next(random: &mut Random, node: &str, wall_us: u64) -> (&'static str, Vec<Edit>) {
    if random.below(TELL_TIME_EVERY) == 0 {
        (CLOCKS, tell_time(node, wall_us))
    } else {
        (DOCUMENT, chat(random, node))
    }
}

/// Writes down when `node` wrote this, in microseconds.
pub(crate) fn tell_time(node: &str, wall_us: u64) -> Vec<Edit> {
    vec![Edit::assign([node], i64::try_from(wall_us).unwrap_or(i64::MAX))]
}

fn chat(random: &mut Random, node: &str) -> Vec<Edit> {
    let user = format!("user-{}", random.below(USERS));
    let chat = format!("chat-{}", random.below(CHATS));
    let path = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = |text: String| Value::Text(text);
    match random.below(9) {
        0 | 1 => {
            let title = text(format!("about {} by {node}", random.below(1000)));
            vec![
                Edit::Set { path: path(&["chats", &chat, "title"]), value: title },
                Edit::Add { path: path(&["chats", &chat, "members"]), value: text(user) },
            ]
        }
        2 | 3 => {
            let name = text(format!("{user} named by {node}, {}", random.below(1000)));
            vec![Edit::Set { path: path(&["users", &user, "name"]), value: name }]
        }
        4 => vec![Edit::Delete { path: path(&["chats", &chat]) }],
        5 => vec![Edit::Remove { path: path(&["chats", &chat, "members"]), value: text(user) }],
        _ => vec![
            Edit::Increment { path: path(&["chats", &chat, "messages"]), by: 1 },
            Edit::Increment { path: path(&["messages"]), by: 1 },
        ],
    }
}
