//! The bytes of every mutation are pinned: whoever changes them raises the body's format.

mod common;

use common::*;
use meshwork_base::Bytes;
use meshwork_crdt_state::Value;

#[test]
fn golden_bodies() {
    let (mut a, mut b) = (Peer::new(1), Peer::new(2));
    let mut lines = String::new();
    let mut pin =
        |name: &str, body: &[u8]| lines += &format!("{name} {}\n", base16ct::lower::encode_string(body));
    pin("nothing", &a.edit([]).body);
    pin("set", &a.edit([set("user/name", "Ada")]).body);
    pin("set over own", &a.edit([set("user/name", "Bea")]).body);
    pin("assign", &a.edit([assign("user/age", 36)]).body);
    pin("make_map", &a.edit([make_map("user")]).body);
    pin("increment", &a.edit([increment("user/visits", -3)]).body);
    pin("add", &a.edit([add("user/tags", true)]).body);
    let values = vec![
        Value::Null,
        Value::Float(1.5),
        Value::Bytes(Bytes::from_static(&[1, 2])),
        Value::Number("1e400".into()),
        Value::Map(vec![("k".into(), Value::List(vec![]))]),
    ];
    pin(
        "values and a shared path",
        &a.edit([set("user/list", Value::List(values)), set("user/x", 300)]).body,
    );
    b.pull(&a);
    pin("remove", &b.edit([remove("user/tags", true)]).body);
    pin("delete with a reset", &b.edit([delete("user")]).body);
    assert_eq!(lines, include_str!("golden/bodies.hex"));
}
