//! Many transactions in one call, under the bound of unsaved edits.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use meshwork::{Edit, EditError, Node, NodeConfig};
use serde_json::json;

#[actix_web::test]
async fn more_transactions_than_may_be_unsaved_take_their_turn_and_give_back_their_place() {
    let config = NodeConfig { unsaved_edits_max: 4, ..NodeConfig::default() };
    let node = Node::builder().config(config).start().await.unwrap();
    for round in 0..3 {
        // Every fifth is refused: the root is not a value.
        let transaction = |number: i64| {
            let path = if number % 5 == 4 { vec![] } else { vec![format!("k{number}")] };
            vec![Edit::set(path, round * 100 + number)]
        };
        let results = node.edit_many("app", (0..20).map(transaction)).await.unwrap();
        assert_eq!(results.len(), 20);
        for (number, result) in results.iter().enumerate() {
            assert_eq!(result.as_ref().err(), (number % 5 == 4).then_some(&EditError::Root), "{number}");
        }
        node.stored(*results.iter().flatten().last().unwrap()).await.unwrap();
    }
    let shown = node.json("app").await.unwrap().unwrap();
    assert_eq!((shown.as_object().unwrap().len(), &shown["k18"]), (16, &json!(218)));
    assert!(node.edit_many("app", []).await.unwrap().is_empty());
    node.close().await;
}
