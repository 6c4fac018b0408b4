//! The machine's inputs and effects: readiness, numbering, dependencies, clocks, replay.

mod common;

use common::*;
use meshwork_base::{DocumentId, Dot, Machine, NodeId};
use meshwork_crdt_state::{Config, Documents, EditError, Effect, Input, RequestId};
use serde_json::json;

fn edited(documents: &mut Documents) -> Result<Dot, EditError> {
    let input = Input::Edit { request: RequestId(1), document: id(), edits: vec![set("x", 1)] };
    documents.handle(at(1), input);
    match effects(documents).pop() {
        Some(Effect::Edited { result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn edits_wait_for_an_incarnation_and_for_its_replay() {
    let mut author = Peer::new(1);
    author.edit([set("a", 1)]);
    author.edit([set("a", 2)]);

    let mut documents = Documents::new(Config::default());
    assert_eq!(edited(&mut documents), Err(EditError::NotReady));
    documents.handle(at(1), incarnation(replica(1), 3));
    assert_eq!((edited(&mut documents), documents.is_ready()), (Err(EditError::NotReady), false));
    assert_eq!(documents.documents().len(), 0);
    documents.handle(at(1), Input::Deliver(author.log.clone()));
    let replayed = vec![Effect::Changed {
        document: id(),
        dots: vec![Dot::new(replica(1), 1), Dot::new(replica(1), 2)],
    }];
    assert_eq!(effects(&mut documents), replayed);
    assert_eq!(edited(&mut documents), Ok(Dot::new(replica(1), 3)));
}

#[test]
fn what_is_edited_after_the_close_is_refused() {
    let mut documents = Documents::new(Config::default());
    documents.handle(at(1), incarnation(replica(1), 1));
    assert!(edited(&mut documents).is_ok());
    documents.handle(at(1), Input::Close);
    assert_eq!(effects(&mut documents), [Effect::Close]);
    assert_eq!(edited(&mut documents), Err(EditError::Closing));
    let input = Input::EditMany { request: RequestId(2), document: id(), transactions: vec![vec![]] };
    documents.handle(at(1), input);
    let results = vec![Err(EditError::Closing)];
    assert_eq!(effects(&mut documents), [Effect::EditedMany { request: RequestId(2), results }]);
}

/// The log issues operations of a retired replica again; when it has more to declare than one operation can name, the
/// rest goes before it, without a body. Without it the removal would be one of what its author never saw.
#[test]
fn an_empty_body_carries_dependencies() {
    let (mut a, mut b) = (Peer::new(1), Peer::new(2));
    a.edit([set("x", 1)]);
    b.pull(&a);
    let removal = b.edit([delete("x")]);
    for carried in [false, true] {
        let again = |sequence, dependencies, body| meshwork_op_log::Operation {
            dot: Dot::new(replica(3), sequence),
            dependencies,
            body,
            ..b.log.last().unwrap().clone()
        };
        let mut log = a.log.clone();
        if carried {
            log.push(again(1, removal.dependencies.clone(), Default::default()));
        }
        log.push(again(log.len() as u64, vec![], removal.body.clone()));
        let mut documents = Documents::new(Config::default());
        documents.handle(at(1), Input::Deliver(log));
        assert!(!effects(&mut documents).iter().any(|effect| matches!(effect, Effect::Invalid { .. })));
        let shown = documents.document(&id()).unwrap().to_json();
        assert_eq!(shown, if carried { json!({}) } else { json!({"x": 1}) });
    }
}

#[test]
fn a_transaction_has_its_limit() {
    let mut documents = Documents::new(Config { edits_max: 2, ..Config::default() });
    documents.handle(at(1), incarnation(replica(1), 1));
    let input = Input::Edit { request: RequestId(9), document: id(), edits: vec![set("a", 1); 3] };
    documents.handle(at(1), input);
    let result = Err(EditError::TooManyEdits { count: 3, max: 2 });
    assert_eq!(effects(&mut documents), [Effect::Edited { request: RequestId(9), result }]);
    assert_eq!(documents.documents().len(), 0);
}

#[test]
fn dependencies_name_what_changed_since_the_last_own_operation() {
    let (mut a, mut b, mut c) = (Peer::new(1), Peer::new(2), Peer::new(3));
    assert_eq!(a.edit([set("a", 1)]).dependencies, []);
    b.edit([set("b", 1)]);
    b.edit([set("b", 2)]);
    c.edit([set("c", 1)]);
    a.pull(&c);
    a.pull(&b);
    assert_eq!(a.edit([]).dependencies, [Dot::new(replica(2), 2), Dot::new(replica(3), 1)]);
    assert_eq!(a.edit([]).dependencies, []);
    c.edit([]);
    a.pull(&c);

    // After a restart the replayed operations tell what is covered.
    for incarnation_first in [true, false] {
        let mut documents = Documents::new(Config::default());
        let inputs = [incarnation(replica(1), 4), Input::Deliver(a.log.clone())];
        let order = if incarnation_first { [0, 1] } else { [1, 0] };
        order.iter().for_each(|number| documents.handle(at(1), inputs[*number].clone()));
        effects(&mut documents);
        documents.handle(at(1), Input::Edit { request: RequestId(1), document: id(), edits: vec![] });
        let Some(Effect::Append(appended)) = documents.poll_effect() else { panic!("nothing to append") };
        assert_eq!(appended[0].dependencies, [Dot::new(replica(3), 2)]);
        assert!(appended[0].time > a.log.iter().map(|operation| operation.time).max().unwrap());
    }

    // A new incarnation starts anew, and depends on the old one.
    a.documents.handle(at(1), incarnation(replica(9), 1));
    let first = a.edit([set("a", 2)]);
    assert_eq!(first.dot, Dot::new(replica(9), 1));
    let all = [Dot::new(replica(1), 3), Dot::new(replica(2), 2), Dot::new(replica(3), 2)];
    assert_eq!(first.dependencies, all);
    assert_eq!(a.edit([]).dependencies, []);
    b.pull(&a);
    assert_eq!(b.documents.state_hash(), a.documents.state_hash());
}

#[test]
fn a_batch_tells_each_document_once_and_known_operations_not_again() {
    let mut author = Peer::new(1);
    let other = DocumentId::new("other").unwrap();
    let mut log = vec![author.edit([set("a", 1)]), author.edit([set("a", 2)]), author.edit([set("a", 3)])];
    log[1].document = other.clone();
    let dot = |sequence| Dot::new(replica(1), sequence);
    let mut reader = Peer::new(2);
    let expected = [
        Effect::Changed { document: other, dots: vec![dot(2)] },
        Effect::Changed { document: id(), dots: vec![dot(1), dot(3)] },
    ];
    assert_eq!(reader.deliver(&log), expected);
    assert_eq!(reader.deliver(&log), []);
    assert_eq!(reader.documents.applied_version().sequence(&replica(1)), 3);
    let clock = crdts::VClock::from(&reader.documents.applied_version());
    assert_eq!((clock.get(&replica(1)), clock.get(&replica(2))), (3, 0));
    // The log promises that none is missing; should it break that, nothing is applied out of order.
    let mut reader = Peer::new(2);
    assert_eq!(reader.deliver(&log[1..]), []);
}

#[test]
fn rebuild_forgets_all_and_deliveries_follow() {
    let (mut a, mut b) = (Peer::new(1), Peer::new(2));
    a.edit([set("a", 1)]);
    b.pull(&a);
    b.edit([set("b", 1)]);
    let before = b.documents.state_hash();
    b.documents.handle(at(1), Input::Rebuild);
    assert_eq!((b.documents.documents().len(), b.documents.is_ready()), (0, false));
    b.deliver(&b.log.clone());
    assert_eq!((b.documents.state_hash(), b.documents.is_ready()), (before, true));
    assert_eq!(b.edit([]).dependencies, []);

    // With a new incarnation: the operations of the old one are those of another replica.
    b.documents.handle(at(1), Input::Rebuild);
    b.documents.handle(at(1), incarnation(replica(7), 1));
    b.deliver(&b.log.clone());
    let first = b.edit([set("b", 2)]);
    assert_eq!(first.dependencies, [Dot::new(replica(1), 1), Dot::new(replica(2), 2)]);
    assert_eq!(b.json(), json!({"a": 1, "b": 2}));
}

#[test]
fn a_clock_far_ahead_is_flagged_and_does_not_pull_ours() {
    let (mut a, mut b) = (Peer::new(1), Peer::new(2));
    a.wall_ms = 62_000;
    let operation = a.edit([set("x", 1)]);
    b.wall_ms = 1_000;
    let flagged = Effect::TimeAhead { dot: operation.dot, author: NodeId([1; 32]), ahead_ms: 61_000 };
    let changed = Effect::Changed { document: id(), dots: vec![operation.dot] };
    assert_eq!(b.deliver(&[operation]), [flagged, changed]);
    assert_eq!(b.edit([set("y", 1)]).time.wall_ms, 1_000);

    let mut c = Peer::new(3);
    c.wall_ms = 2_000;
    c.pull(&a);
    assert!(c.edit([set("y", 1)]).time > a.log[0].time);
}

#[test]
fn more_dependencies_than_one_operation_names_go_ahead_in_empty_ones() {
    let mut documents = Documents::new(Config::default());
    let many = (0u16..2_500).map(|number| {
        let mut operation = forged(1, 1, vec![], vec![1, 0]);
        operation.dot.replica.0[..2].copy_from_slice(&(number + 256).to_be_bytes());
        operation
    });
    documents.handle(at(1), Input::Deliver(many.collect()));
    documents.handle(at(1), incarnation(replica(255), 1));
    effects(&mut documents);
    let edit = |edits| Input::Edit { request: RequestId(1), document: id(), edits };
    documents.handle(at(1), edit(vec![set("", 1)]));
    documents.handle(at(1), edit(vec![set("x", 1)]));
    documents.handle(at(1), edit(vec![set("x", 2)]));
    let effects = effects(&mut documents);
    let [_refused, Effect::Append(first), Effect::Edited { result, .. }, Effect::Append(second), _] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(result, &Ok(Dot::new(replica(255), 3)));
    let counts: Vec<_> =
        first.iter().chain(second).map(|new| (new.dot.sequence, new.dependencies.len())).collect();
    assert_eq!(counts, [(1, 1024), (2, 1024), (3, 452), (4, 0)]);
    let mut reader = Peer::new(9);
    let operations: Vec<_> = first.iter().chain(second).cloned().map(signed).collect();
    assert!(matches!(reader.deliver(&operations)[..], [Effect::Changed { .. }]));
    assert_eq!(reader.json(), json!({"x": 2}));
}

#[test]
fn a_refused_edit_makes_no_document() {
    let mut peer = Peer::new(1);
    assert_eq!(peer.try_edit(vec![set("a", 1), set("", 1)]), Err(EditError::Root));
    assert_eq!(peer.documents.documents().len(), 0);
    assert_eq!(peer.edit([]).dot.sequence, 1);
    assert_eq!(peer.documents.documents().collect::<Vec<_>>(), [&id()]);
}

#[test]
fn many_transactions_make_one_append_and_a_refused_one_does_not_hold_up_the_rest() {
    let mut documents = Documents::new(Config::default());
    documents.handle(at(1), incarnation(replica(1), 1));
    let transactions = vec![vec![set("a", 1)], vec![set("a", 2), set("", 1)], vec![set("b", 3)], vec![]];
    documents.handle(at(1), Input::EditMany { request: RequestId(7), document: id(), transactions });
    let [Effect::Append(operations), Effect::EditedMany { request, results }] = &effects(&mut documents)[..]
    else {
        panic!("not one append and one answer")
    };
    let dot = |sequence| Dot::new(replica(1), sequence);
    assert_eq!(*request, RequestId(7));
    assert_eq!(*results, [Ok(dot(1)), Err(EditError::Root), Ok(dot(2)), Ok(dot(3))]);
    assert_eq!(
        operations.iter().map(|operation| operation.dot).collect::<Vec<_>>(),
        [dot(1), dot(2), dot(3)]
    );
    let shown = documents.document(&id()).map(|document| document.to_json());
    assert_eq!(shown, Some(json!({ "a": 1, "b": 3 })));

    let refused = vec![vec![set("", 1)]];
    documents.handle(at(1), Input::EditMany { request: RequestId(8), document: id(), transactions: refused });
    let answer = Effect::EditedMany { request: RequestId(8), results: vec![Err(EditError::Root)] };
    assert_eq!(effects(&mut documents), [answer]);
}
