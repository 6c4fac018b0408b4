//! Signals that are lost, come again, or come too often; and when another attempt is worth making.

mod support;

use meshwork_base::SpaceId;
use meshwork_identity::SpaceSecret;
use meshwork_transport::{
    Config, ConnectionEvent, Context, Effect, Input, LinkId, LinkState, MemoryNetwork, Signal, SignalKind,
    Stage, Transport,
};
use support::*;

fn lose_first(network: &mut MemoryNetwork, from: u8, to: u8, is: fn(&SignalKind) -> bool) {
    let mut lost = false;
    network.tamper_signals(session(from), session(to), move |signal| {
        let loses = !lost && is(&signal.kind);
        lost |= loses;
        if loses { vec![] } else { vec![signal] }
    });
}

fn is_offer(kind: &SignalKind) -> bool {
    matches!(kind, SignalKind::Offer(_))
}

fn is_answer(kind: &SignalKind) -> bool {
    matches!(kind, SignalKind::Answer(_))
}

fn describe(transport: &mut Transport, now: u64, link: u64, description: &str) -> Vec<Effect> {
    run(transport, at(now), event(LinkId(link), ConnectionEvent::Described(description.into())))
}

fn signals(effects: &[Effect]) -> Vec<Signal> {
    let signal = |effect: &Effect| match effect {
        Effect::Signal { signal, .. } => Some(signal.clone()),
        _ => None,
    };
    effects.iter().filter_map(signal).collect()
}

#[test]
fn a_lost_signal_costs_two_seconds_and_no_attempt() {
    // Who loses a signal to whom, who is told of the other, and until when both are linked. (The greater session
    // makes its offer after two seconds.)
    type Case = (u8, u8, fn(&SignalKind) -> bool, &'static [u8], u64);
    let table: [Case; 6] = [
        (1, 2, is_offer, &[1, 2], 3_000),
        (2, 1, is_answer, &[1, 2], 3_000),
        (1, 2, is_offer, &[1], 3_000),
        (2, 1, is_answer, &[1], 3_000),
        (2, 1, is_offer, &[2], 4_500),
        (1, 2, is_answer, &[2], 4_500),
    ];
    for (from, to, is, finders, until) in table {
        let mut network = network(2);
        lose_first(&mut network, from, to, is);
        for finder in finders {
            network.input(session(*finder), found(3 - finder));
        }
        network.advance(ms(until));
        let (one, two) = (network.take(session(1)), network.take(session(2)));
        assert_eq!((ups(&one), ups(&two)), (vec![2], vec![1]), "{from} to {to}, {finders:?} know");
        assert_eq!((failures(&one), failures(&two)), (vec![], vec![]), "{from} to {to}, {finders:?} know");
    }
}

#[test]
fn an_offer_is_made_again_with_its_candidates_until_it_is_answered() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    let mut said = signals(&describe(&mut one, 10, 1, "sdp"));
    let candidate_found = event(LinkId(1), ConnectionEvent::Candidate("c".into()));
    said.extend(signals(&run(&mut one, at(20), candidate_found)));
    assert_eq!(said.len(), 2);
    // As time passes, when the peer is found again, and when it offers itself; never twice in a moment.
    let (now, effects) = wait(&mut one);
    assert_eq!((now.monotonic, signals(&effects)), (at(2_010).monotonic, said.clone()));
    assert_eq!(run(&mut one, at(2_100), found(2)), []);
    assert_eq!(signals(&run(&mut one, at(2_300), found(2))), said);
    assert_eq!(signals(&run(&mut one, at(2_600), offer(2, 3))), said);
    assert_eq!(signals(&run(&mut one, at(2_601), offer(2, 5))), []);
    assert_eq!(actions(&run(&mut one, at(3_000), answer(2, 2))), [(1, "accept".into())]);
    assert_eq!(run(&mut one, at(4_000), found(2)), []);
    let (now, effects) = wait(&mut one);
    assert_eq!(
        (now.monotonic, failures(&effects).len()),
        (at(13_000).monotonic, 1),
        "it connects too slowly"
    );
}

#[test]
fn an_offer_that_comes_again_is_answered_again() {
    let mut two = transport(2);
    assert_eq!(actions(&run(&mut two, at(0), offer(1, 2))), [(1, "answer".into())]);
    assert_eq!(run(&mut two, at(100), offer(1, 2)), [], "there is no answer yet");
    let said = signals(&describe(&mut two, 200, 1, "sdp"));
    assert_eq!(said, [Signal { attempt: 2, kind: SignalKind::Answer("sdp".into()) }]);
    assert_eq!(signals(&run(&mut two, at(2_000), offer(1, 2))), said);
    // Not more often than it can have been needed.
    let again = (2_000..3_000).map(|now| signals(&run(&mut two, at(now), offer(1, 2))).len());
    assert_eq!(again.sum::<usize>(), 3);
    // What came to nothing is begun anew.
    let (now, effects) = wait(&mut two);
    assert_eq!((now.monotonic, failures(&effects).len()), (at(10_200).monotonic, 1));
    assert_eq!(actions(&run(&mut two, at(10_300), offer(1, 2))), [(2, "answer".into())]);
}

#[test]
fn the_same_candidate_is_handed_on_once() {
    let mut two = transport(2);
    run(&mut two, at(0), offer(1, 2));
    assert_eq!(actions(&run(&mut two, at(1), candidate(1, 2, "c"))), [(1, "candidate c".into())]);
    assert_eq!(run(&mut two, at(2), candidate(1, 2, "c")), []);
}

#[test]
fn a_peer_cannot_have_connections_made_in_a_row() {
    let mut two = transport(2);
    run(&mut two, at(0), found(1));
    let mut answers = 0;
    for number in 0..1_000 {
        answers += actions(&run(&mut two, at(number), offer(1, 2 * number + 2)))
            .iter()
            .filter(|(_, action)| action == "answer")
            .count();
    }
    assert_eq!(answers, 8, "one in 125 ms");
    // Also where each comes to nothing at once.
    let mut two = transport(2);
    run(&mut two, at(0), found(1));
    let mut link = 0;
    for number in 0..1_000 {
        if !run(&mut two, at(number), offer(1, 2 * number + 2)).is_empty() {
            link += 1;
            run(
                &mut two,
                at(number),
                event(LinkId(link), ConnectionEvent::Closed { reason: "not usable".into() }),
            );
        }
    }
    assert_eq!(link, 8);
}

#[test]
fn a_peer_that_is_announced_again_is_tried_at_once() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    let mut backs_off = || {
        let (now, effects) = wait(&mut one);
        let (_, retry) = failures(&effects).pop()?;
        Some(now).filter(|_| retry > Some(3_000))
    };
    let now = (0..100).find_map(|_| backs_off()).expect("attempts back off");
    let effects = run(&mut one, now.after(ms(1)), found(2));
    assert_eq!(actions(&effects).iter().map(|(_, action)| action).collect::<Vec<_>>(), ["offer"]);
    // And from there on as if nothing had been.
    assert!(failures(&wait(&mut one).1)[0].1 < Some(250));
}

#[test]
fn a_refusal_is_not_forgotten_when_the_peer_is_announced_again() {
    let mut network = MemoryNetwork::new(ms(5));
    network.add(transport(1));
    network.add(transport_of(
        Config::default(),
        Context { secret: SpaceSecret::open(&SpaceId([9; 16])), ..context(2) },
    ));
    network.introduce(session(1), session(2));
    network.advance(ms(500));
    assert_eq!(failures(&network.take(session(1))).len(), 1);
    network.input(session(1), found(2));
    network.input(session(2), found(1));
    network.advance(ms(5_000));
    assert_eq!((failures(&network.take(session(1))), ups(&network.take(session(1)))), (vec![], vec![]));
}

#[test]
fn an_offer_to_a_session_that_is_gone_makes_room() {
    let mut one = transport_of(Config { links_max: 1, ..Config::default() }, context(1));
    run(&mut one, at(0), found(2));
    run(&mut one, at(0), found(3));
    run(&mut one, at(0), offer(3, 3));
    let effects = run(&mut one, at(1), Input::PeerGone { session: session(2) });
    assert_eq!(actions(&effects), [(1, "close".into())]);
    assert_eq!(failures(&effects), [("Signalling: it left the room".into(), None)]);
    let (now, effects) = wait(&mut one);
    assert_eq!((now.monotonic, actions(&effects)), (at(1).monotonic, vec![(2, "offer".into())]));
    // What needs no hub any more goes on.
    run(&mut one, at(2), answer(3, 4));
    assert_eq!(run(&mut one, at(3), Input::PeerGone { session: session(3) }), []);
}

#[test]
fn a_node_that_is_cut_off_comes_up_nowhere_else() {
    let mut network = network(1);
    for number in [2, 3] {
        // Two tabs of one node.
        network.add(transport_of(Config::default(), Context { session: session(number), ..context(9) }));
    }
    network.introduce(session(1), session(2));
    network.advance(ms(500));
    network.introduce(session(1), session(3));
    let shaking = |network: &MemoryNetwork| {
        let links = network.transport(session(1)).unwrap().links();
        links.iter().any(|link| link.state == LinkState::Attempting(Stage::Handshake))
    };
    while !shaking(&network) {
        network.advance(ms(1));
    }
    // Its `Hello` has come, and its `Proof` is under way.
    network.advance(ms(6));
    assert!(shaking(&network));
    network.take(session(1));
    for _ in 0..3 {
        network.input(session(1), Input::Misbehaved { peer: session(2), reason: "bad block".into() });
    }
    network.advance(ms(1_000));
    let effects = network.take(session(1));
    assert_eq!((downs(&effects).len(), ups(&effects)), (1, vec![]));
}

#[test]
fn a_performers_reason_is_fit_to_be_shown() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    let reason = format!("they called it `\u{1b}[2J{}`", "x".repeat(60_000));
    let effects = run(&mut one, at(1), event(LinkId(1), ConnectionEvent::Closed { reason }));
    let (told, _) = &failures(&effects)[0];
    assert!(told.starts_with("Signalling: they called it `[2Jxxx") && told.len() < 1_000, "{}", told.len());
}

#[test]
fn a_number_that_a_hub_made_up_does_not_keep_out_the_offers_that_are_meant() {
    let mut two = transport(2);
    run(&mut two, at(0), found(1));
    let made_up = |attempt| -> Input { offer(1, attempt) };
    let answers = |effects: &[Effect]| {
        effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::Connection { action: meshwork_transport::ConnectionAction::Answer { .. }, .. }
            )
        })
    };
    assert!(answers(&run(&mut two, at(0), made_up(u64::MAX - 1))));
    run(&mut two, at(10), event(LinkId(1), ConnectionEvent::Closed { reason: "no description".into() }));
    // What came before a later attempt is late, for as long as an attempt may take.
    assert!(!answers(&run(&mut two, at(24_999), made_up(2))));
    assert!(answers(&run(&mut two, at(25_000), made_up(4))));
}
