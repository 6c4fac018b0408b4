//! What peers may do to us: nothing. And the bytes that are pinned.

mod common;

use common::*;
use meshwork_base::{Bytes, Dot, Hash, ReplicaId, SpaceId, Tip, Version};
use meshwork_consensus::{Config, Input, Message, RECEIPT_BYTES_MAX, SignedReceipt};
use meshwork_identity::Signature;
use proptest::prelude::*;

fn brought(message: Message) -> Input {
    Input::Received { from: session(2), message }
}

#[test]
fn what_no_correct_peer_sends_is_named() {
    let good = said(2, 1, 1, version(&[(1, 1)]));
    let signed = |receipt| Message::Receipt(sign(&receipt));
    let forged = SignedReceipt { signature: Signature([1; 64]), ..sign(&good) };
    let raw = |bytes: Vec<u8>| {
        Message::Receipt(SignedReceipt { bytes: Bytes::from(bytes), signature: Signature([0; 64]) })
    };
    // Decoded from bytes in which one replica is named twice.
    let entry = (replica(1), tip(1));
    let twice: Version = meshwork_wire::decode(&meshwork_wire::encode(&vec![entry, entry]).unwrap()).unwrap();
    let zero: Version = [(replica(1), tip(0))].into_iter().collect();
    let wide =
        (0..1_025u16).map(|id| (ReplicaId([id.to_le_bytes(); 8].concat().try_into().unwrap()), tip(1)));
    let table = [
        (Message::Receipt(forged), "the receipt is not signed by the node that it names"),
        (signed(said(2, 1, 1, twice)), "the receipt's tips are not strictly ascending"),
        (signed(said(2, 1, 1, zero)), "the receipt's tips are not strictly ascending"),
        (signed(said(2, 1, 1, wide.collect())), "a receipt names at most 1024 tips, this one 1025"),
        (
            signed(meshwork_consensus::Receipt { space: SpaceId([8; 16]), ..good }),
            "the receipt is about space 0808",
        ),
        (raw(vec![]), "not a receipt: "),
        (raw(vec![1, 2, 3]), "not a receipt: "),
        (raw(vec![1; RECEIPT_BYTES_MAX + 1]), "a receipt of 61441 bytes is over the limit of 61440"),
        (Message::Linked(vec![node(3), node(2)]), "a list of links that is out of order"),
        (
            Message::Linked(
                (0..1_025u32)
                    .map(|n| meshwork_base::NodeId(*Hash::of(&n.to_be_bytes()).as_bytes()))
                    .collect(),
            ),
            "a list of links",
        ),
    ];
    for (message, expected) in table {
        let mut machine = machine(1, true, Config::default());
        run(&mut machine, at(0), Input::Stored { version: version(&[(1, 1)]) });
        run(&mut machine, at(0), up(2));
        let effects = run(&mut machine, at(0), brought(message));
        let complaints = complaints(&effects);
        assert!(
            complaints.len() == 1 && complaints[0].starts_with(expected),
            "{complaints:?}, not {expected}"
        );
        assert_eq!(confirmations(&effects), []);
        assert_eq!(machine.holders(Dot::new(replica(1), 1)), [node(1)]);
    }
}

/// A newer build does nothing wrong. What it says is left out, and what it says in a known format is not.
#[test]
fn a_receipt_of_another_format_is_left_out_and_charged_to_nobody() {
    let mut machine = machine(1, true, Config::default());
    run(&mut machine, at(0), Input::Stored { version: version(&[(1, 1)]) });
    run(&mut machine, at(0), up(2));
    let good = said(2, 1, 1, version(&[(1, 1)]));
    let newer = meshwork_consensus::Receipt { format: 2, ..good };
    let effects = run(&mut machine, at(0), brought(Message::Receipt(sign(&newer))));
    assert_eq!(complaints(&effects), Vec::<String>::new());
    assert_eq!(machine.holders(Dot::new(replica(1), 1)), [node(1)]);
    run(&mut machine, at(1), receipt(2, 2, 1, 1, version(&[(1, 1)])));
    assert_eq!(machine.holders(Dot::new(replica(1), 1)), [node(1), node(2)]);
}

#[test]
fn an_invented_crowd_is_bounded_and_a_linked_node_gets_in() {
    let config = Config { nodes_max: 4, ..Config::default() };
    let mut machine = machine(1, true, config);
    run(&mut machine, at(0), Input::Stored { version: version(&[(1, 1)]) });
    run(&mut machine, at(0), up(2));
    for id in 10..200 {
        run(&mut machine, at(1), receipt(2, id, 1, 1, version(&[(1, 1)])));
    }
    let dot = Dot::new(replica(1), 1);
    assert_eq!(machine.holders(dot), [node(1), node(10), node(11), node(12), node(13)]);
    run(&mut machine, at(2), receipt(2, 2, 1, 1, version(&[(1, 1)])));
    assert_eq!(machine.holders(dot), [node(1), node(2), node(11), node(12), node(13)]);
}

#[test]
fn replicas_beyond_the_bound_are_left_out_and_not_relayed_in_circles() {
    let config = Config { replicas_max: 2, ..Config::default() };
    let mut machine = machine(1, true, config);
    run(&mut machine, at(0), Input::Stored { version: version(&[(1, 1), (2, 1), (3, 1)]) });
    run(&mut machine, at(0), up(2));
    run(&mut machine, at(0), up(3));
    let input = receipt(2, 9, 1, 1, version(&[(1, 1), (2, 1), (3, 1)]));
    let effects = run(&mut machine, at(1), input.clone());
    assert_eq!(confirmations(&effects), [(1, 1, 1), (2, 1, 1)]);
    wake(&mut machine);
    assert_eq!(receipts_to(&wake(&mut machine), 3).len(), 1);
    run(&mut machine, at(5_000), input);
    assert_eq!(receipts_to(&wake(&mut machine), 3).len(), 0);
}

#[test]
fn living_receipts_are_bounded_in_bytes() {
    let config = Config { kept_bytes_max: 2 * RECEIPT_BYTES_MAX, ..Config::default() };
    let mut machine = machine(1, false, config);
    for n in 0..2_000u16 {
        let id = ReplicaId([n.to_le_bytes(); 8].concat().try_into().unwrap());
        run(&mut machine, at(1), receipt(2, 2, 1, u64::from(n), [(id, tip(1))].into_iter().collect()));
    }
    run(&mut machine, at(2), up(3));
    wake(&mut machine);
    let relayed = receipts_to_count(&wake(&mut machine));
    assert!((100..500).contains(&relayed), "{relayed}");
}

fn receipts_to_count(effects: &[meshwork_consensus::Effect]) -> usize {
    let receipts = effects.iter().map(|effect| match effect {
        meshwork_consensus::Effect::Send { message, .. } => common::carried(message).len(),
        _ => 0,
    });
    receipts.sum()
}

proptest! {
    #[test]
    fn any_bytes_give_a_value_or_a_complaint(bytes: Vec<u8>, cut in 0usize..200, flip in any::<prop::sample::Index>()) {
        let _ = meshwork_wire::decode::<Message>(&bytes);
        let good = meshwork_wire::encode(&Message::Receipt(sign(&said(2, 1, 1, version(&[(1, 1), (2, 5)]))))).unwrap();
        let mut bad = good[..good.len() - cut.min(good.len())].to_vec();
        if !bad.is_empty() {
            let at = flip.index(bad.len());
            bad[at] ^= 0x41;
        }
        if let Ok(message) = meshwork_wire::decode::<Message>(&bad) {
            let mut machine = machine(1, true, Config::default());
            run(&mut machine, at(0), Input::Stored { version: version(&[(1, 9)]) });
            let effects = run(&mut machine, at(0), brought(message));
            prop_assert_eq!(complaints(&effects).len(), 1);
            prop_assert_eq!(machine.confirmed(&replica(1)), 0);
        }
    }
}

/// The bytes of every message are pinned: whoever changes them adds a variant.
#[test]
fn golden_messages() {
    let tips = [
        (replica(1), Tip { sequence: 3, hash: Hash([9; 32]) }),
        (replica(5), Tip { sequence: 300, hash: Hash([8; 32]) }),
    ];
    let receipt = sign(&said(2, 70_000, 1_700_000_000_001, tips.into_iter().collect()));
    let receipts = Message::Receipts(vec![receipt.clone(), sign(&said(3, 1, 1, version(&[])))]);
    let receipt = Message::Receipt(receipt);
    let linked = Message::Linked(vec![node(1), node(2)]);
    let golden = [
        (receipt, include_str!("golden/receipt.hex")),
        (linked, include_str!("golden/linked.hex")),
        (receipts, include_str!("golden/receipts.hex")),
    ];
    for (message, expected) in golden {
        let bytes = meshwork_wire::encode(&message).unwrap();
        assert_eq!(base16ct::lower::encode_string(&bytes), expected.trim());
        assert_eq!(meshwork_wire::decode::<Message>(&bytes).unwrap(), message);
    }
}
