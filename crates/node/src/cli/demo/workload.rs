//! The generated workload: users and chats, edited from everywhere at once.

use meshwork::{Edit, Random, Value};

/// Everybody edits the same few chats and users, so that concurrent edits meet.
const CHATS: u64 = 200;
const USERS: u64 = 100;

/// The path of the value by which propagation is measured: when `node` last edited, in microseconds.
pub(crate) const SEEN: &str = "seen_us";

/// The next transaction of `node`.
pub(crate) fn next(random: &mut Random, node: &str, wall_us: u64) -> Vec<Edit> {
    let user = format!("user-{}", random.below(USERS));
    let chat = format!("chat-{}", random.below(CHATS));
    let path = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = |text: String| Value::Text(text);
    match random.below(10) {
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
        6..=8 => vec![
            Edit::Increment { path: path(&["chats", &chat, "messages"]), by: 1 },
            Edit::Increment { path: path(&["messages"]), by: 1 },
        ],
        _ => {
            let now = Value::Int(i64::try_from(wall_us).unwrap_or(i64::MAX));
            vec![Edit::Assign { path: path(&[SEEN, node]), value: now }]
        }
    }
}
