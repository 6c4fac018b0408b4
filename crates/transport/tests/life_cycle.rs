//! How links come up, go down and come up again.

mod support;

use meshwork_base::{Machine, ReplicaId, Seed};
use meshwork_transport::{
    Config, ConnectionEvent, Effect, Event, Input, LinkId, LinkState, MemoryNetwork, Signal, SignalKind,
    Stage, Transport,
};
use meshwork_wire::Channel;
use support::*;

#[test]
fn two_that_find_each_other_are_linked_whoever_is_found_first() {
    for (finder, seen) in [(&[1, 2][..], "both"), (&[1], "the smaller only"), (&[2], "the greater only")] {
        let mut network = network(2);
        for number in finder {
            network.input(session(*number), found(3 - number));
        }
        network.advance(ms(2_200));
        let (one, two) = (network.take(session(1)), network.take(session(2)));
        assert_eq!((ups(&one), ups(&two)), (vec![2], vec![1]), "{seen}");
        let Some(Effect::PeerUp(peer)) = one.iter().find(|effect| matches!(effect, Effect::PeerUp(_))) else {
            panic!("{one:?}")
        };
        assert_eq!((peer.node, peer.replica, peer.durable), (node(2), ReplicaId([2; 16]), true));
        let status = &network.transport(session(1)).unwrap().links()[0];
        assert_eq!((status.state, status.node, status.rtt_us), (LinkState::Up, Some(node(2)), Some(10_000)));
        assert!(status.connect_us >= 5_000 && status.traffic.frames_sent >= 3, "{status:?}");
    }
}

#[test]
fn the_smaller_session_offers_and_the_greater_one_waits_a_while_for_it() {
    let mut one = transport(1);
    assert_eq!(actions(&run(&mut one, at(0), found(2))), [(1, "offer".into())]);
    let mut two = transport(2);
    assert_eq!(run(&mut two, at(0), found(1)), []);
    let (now, effects) = wait(&mut two);
    assert_eq!((now.monotonic, actions(&effects)), (at(2_000).monotonic, vec![(1, "offer".into())]));
}

#[test]
fn when_offers_cross_the_one_of_the_smaller_session_stands() {
    // The smaller one keeps its offer.
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    assert_eq!(run(&mut one, at(1), offer(2, 3)), []);
    // The greater one drops its own.
    let mut two = transport(2);
    run(&mut two, at(0), found(1));
    wait(&mut two);
    assert_eq!(actions(&run(&mut two, at(2_001), offer(1, 2))), [(1, "close".into()), (2, "answer".into())]);

    // On a network, with both offers under way at once.
    let config = Config { offer_wait_ms: 0, ..Config::default() };
    let mut network = MemoryNetwork::new(ms(5));
    network.add(transport_of(config.clone(), context(1)));
    network.add(transport_of(config, context(2)));
    network.introduce(session(1), session(2));
    network.advance(ms(200));
    assert_eq!(ups(&network.take(session(1))), [2]);
    let two = network.take(session(2));
    assert_eq!((ups(&two), failures(&two)), (vec![1], vec![]));
}

#[test]
fn a_new_offer_of_a_peer_that_answered_ours_means_that_it_gave_ours_up() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    run(&mut one, at(1), event(LinkId(1), ConnectionEvent::Described("sdp".into())));
    run(&mut one, at(2), answer(2, 2));
    assert_eq!(actions(&run(&mut one, at(3), offer(2, 3))), [(1, "close".into()), (2, "answer".into())]);
    // That offer once more, an older one, and one with a number that is ours to give.
    for attempt in [3, 1, 8] {
        assert_eq!(run(&mut one, at(4), offer(2, attempt)), [], "{attempt}");
    }
}

#[test]
fn what_comes_late_for_an_earlier_attempt_is_ignored() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    let signal = run(&mut one, at(1), event(LinkId(1), ConnectionEvent::Described("sdp".into())));
    let expected = Signal { attempt: 2, kind: SignalKind::Offer("sdp".into()) };
    assert_eq!(signal, [Effect::Signal { to: session(2), signal: expected }]);
    // It is made four times more.
    for _ in 0..4 {
        assert_eq!(wait(&mut one).1, signal);
    }
    let (now, effects) = wait(&mut one);
    assert_eq!(now.monotonic, at(10_000).monotonic);
    assert_eq!(failures(&effects)[0].0, "Signalling: signalling takes too long");
    let (now, effects) = wait(&mut one);
    assert_eq!(actions(&effects), [(2, "offer".into())]);
    assert_eq!(run(&mut one, now, answer(2, 2)), []);
    assert_eq!(run(&mut one, now, candidate(2, 2, "late")), []);
    assert_eq!(run(&mut one, now, event(LinkId(1), ConnectionEvent::Opened(fingerprints()))), []);
    assert_eq!(actions(&run(&mut one, now, answer(2, 4))), [(2, "accept".into())]);
    assert_eq!(run(&mut one, now, answer(2, 4)), [], "a second answer");
}

#[test]
fn candidates_that_come_before_their_description_are_kept_within_a_bound() {
    let config = Config { candidates_max: 3, ..Config::default() };
    // Before the answer to our offer.
    let mut one = transport_of(config.clone(), context(1));
    run(&mut one, at(0), found(2));
    for text in ["a", "b", "c", "d"] {
        assert_eq!(run(&mut one, at(1), candidate(2, 2, text)), []);
    }
    let kept = ["accept", "candidate b", "candidate c", "candidate d"];
    let effects = actions(&run(&mut one, at(2), answer(2, 2)));
    assert_eq!(effects.iter().map(|(_, action)| action.as_str()).collect::<Vec<_>>(), kept);
    assert_eq!(run(&mut one, at(3), candidate(2, 2, "one too many")), []);
    // Before an offer to us.
    let mut two = transport_of(config, context(2));
    run(&mut two, at(0), found(1));
    run(&mut two, at(1), candidate(1, 4, "x"));
    run(&mut two, at(1), candidate(1, 2, "of another attempt"));
    let effects = actions(&run(&mut two, at(2), offer(1, 4)));
    assert_eq!(effects, [(1, "answer".into()), (1, "candidate x".into())]);
    assert_eq!(actions(&run(&mut two, at(3), candidate(1, 4, "y"))), [(1, "candidate y".into())]);
}

#[test]
fn whoever_answered_waits_for_the_offerer() {
    let mut two = transport(2);
    run(&mut two, at(0), offer(1, 2));
    assert_eq!(run(&mut two, at(1_000), found(1)), []);
    assert_eq!(run(&mut two, at(2_000), found(1)), []);
    assert_eq!(actions(&run(&mut two, at(2_001), offer(1, 4))), [(1, "close".into()), (2, "answer".into())]);
}

#[test]
fn every_stage_has_its_own_timeout() {
    let mut one = transport(1);
    run(&mut one, at(0), found(2));
    run(&mut one, at(1), answer(2, 2));
    let (now, effects) = wait(&mut one);
    assert_eq!(now.monotonic, at(10_001).monotonic);
    assert_eq!(failures(&effects)[0].0, "Connecting: connecting takes too long");
    let (_, _) = wait(&mut one);
    run(&mut one, at(20_000), answer(2, 4));
    run(&mut one, at(21_000), event(LinkId(2), ConnectionEvent::Opened(fingerprints())));
    assert_eq!(one.links()[0].state, LinkState::Attempting(Stage::Handshake));
    let (now, effects) = wait(&mut one);
    assert_eq!(now.monotonic, at(26_000).monotonic);
    assert_eq!(failures(&effects)[0].0, "Handshake: the handshake takes too long");
    assert_eq!(actions(&effects), [(2, "close".into())]);
}

#[test]
fn attempts_back_off_with_jitter_and_start_over_after_success() {
    let mut network = network(2);
    network.tamper_signals(session(1), session(2), |_| vec![]);
    network.tamper_signals(session(2), session(1), |_| vec![]);
    network.input(session(1), found(2));
    network.advance(ms(300_000));
    let waits: Vec<u64> = failures(&network.take(session(1)))
        .into_iter()
        .map(|(_, retry)| retry.expect("it is listed"))
        .collect();
    for (wait, full) in waits.iter().zip([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
        assert!((full / 2..full).contains(wait), "{waits:?}");
    }
    network.tamper_signals(session(1), session(2), |signal| vec![signal]);
    network.tamper_signals(session(2), session(1), |signal| vec![signal]);
    network.advance(ms(40_000));
    assert_eq!(ups(&network.take(session(1))), [2]);
    network.disconnect(session(1), session(2));
    network.advance(ms(300));
    let effects = network.take(session(1));
    assert_eq!((downs(&effects), ups(&effects)), (vec![(2, false, "the connection broke".into())], vec![2]));
}

#[test]
fn a_session_that_is_gone_is_not_tried_again_but_its_link_stays() {
    let mut network = pair();
    for number in [1, 2] {
        network.input(session(number), Input::PeerGone { session: session(3 - number) });
    }
    network.advance(ms(10_000));
    assert_eq!(network.take(session(1)), []);
    network.disconnect(session(1), session(2));
    network.advance(ms(60_000));
    assert_eq!(ups(&network.take(session(1))), Vec::<u8>::new());
    assert_eq!(network.transport(session(1)).unwrap().links(), []);
}

#[test]
fn a_killed_peer_is_noticed_within_three_seconds_and_an_idle_live_one_stays() {
    let mut network = pair();
    network.advance(ms(120_000));
    assert_eq!((network.take(session(1)), network.take(session(2))), (vec![], vec![]));
    network.kill(session(2));
    network.advance(ms(2_999));
    let effects = network.take(session(1));
    assert_eq!(downs(&effects), [(2, false, "nothing was heard for 2500 ms".into())]);
}

#[test]
fn after_silence_the_link_comes_back() {
    let mut network = pair();
    network.silence(session(1), session(2));
    network.advance(ms(4_000));
    assert_eq!(downs(&network.take(session(1))).len(), 1);
    assert_eq!(downs(&network.take(session(2))).len(), 1);
    network.heal(session(1), session(2));
    network.advance(ms(60_000));
    assert_eq!(ups(&network.take(session(1))), [2]);
    assert_eq!(ups(&network.take(session(2))), [1]);
}

#[test]
fn a_pause_of_our_own_is_not_held_against_the_peers() {
    let mut network = pair();
    network.sleep(ms(3_600_000));
    network.advance(ms(5_000));
    assert_eq!((network.take(session(1)), network.take(session(2))), (vec![], vec![]));
    network.sleep(ms(3_600_000));
    network.kill(session(2));
    network.advance(ms(2_999));
    assert_eq!(downs(&network.take(session(1))).len(), 1);
}

#[test]
fn goodbye_is_told_and_the_session_is_not_tried_again() {
    let mut network = pair();
    network.input(session(1), Input::Close);
    network.advance(ms(60_000));
    assert_eq!(downs(&network.take(session(1))), [(2, false, "closed here".into())]);
    let effects = network.take(session(2));
    assert_eq!(downs(&effects), [(1, true, "it said goodbye".into())]);
    assert_eq!(failures(&effects), []);
    assert_eq!(network.transport(session(2)).unwrap().links(), []);
    network.input(session(1), found(2));
    assert_eq!(network.take(session(1)), [], "nothing more is done");
}

#[test]
fn a_newer_connection_takes_the_place_of_the_older_one_once_it_is_proved() {
    let mut network = pair();
    // Session 1 alone loses its end, and dials again; session 2 believes its link to be up all the while.
    network.silence(session(1), session(2));
    network.input(session(1), event(LinkId(1), ConnectionEvent::Closed { reason: "ice".into() }));
    network.heal(session(1), session(2));
    network.advance(ms(1_000));
    let (one, two) = (network.take(session(1)), network.take(session(2)));
    assert_eq!((downs(&one), ups(&one)), (vec![(2, false, "ice".into())], vec![2]));
    let replaced = "a newer connection took its place".to_string();
    assert_eq!((downs(&two), ups(&two)), (vec![(1, false, replaced)], vec![1]));
    assert_eq!(network.transport(session(2)).unwrap().links().len(), 1);
}

#[test]
fn beyond_the_configured_links_nobody_is_dialled_until_there_is_room() {
    let config = Config { links_max: 2, peers_max: 3, ..Config::default() };
    let mut one = transport_of(config, context(1));
    for number in [2, 3] {
        run(&mut one, at(0), found(number));
    }
    assert_eq!(run(&mut one, at(0), found(4)), [], "enough are chosen");
    assert_eq!(run(&mut one, at(0), offer(4, 3)), [Effect::Event(Event::LinksFull { peer: session(4) })]);
    assert_eq!(run(&mut one, at(0), offer(4, 5)), [], "told once");
    assert_eq!(run(&mut one, at(0), found(5)), [Effect::Event(Event::LinksFull { peer: session(5) })]);
    assert_eq!(one.links().len(), 3);
    run(&mut one, at(10), event(LinkId(1), ConnectionEvent::Closed { reason: "gone".into() }));
    let (now, effects) = wait(&mut one);
    assert_eq!((now.monotonic, actions(&effects)), (at(10).monotonic, vec![(3, "offer".into())]));
}

/// Whom each of the sessions 1 to `count` is linked with.
fn linked(network: &MemoryNetwork, count: u8) -> Vec<Vec<u8>> {
    let up = |number: u8| {
        let links = network.transport(session(number)).map(Transport::links).unwrap_or_default();
        links.iter().filter(|link| link.state == LinkState::Up).map(|link| link.session.0[0]).collect()
    };
    (1..=count).map(up).collect()
}

#[test]
fn newcomers_to_a_room_where_everybody_is_full_get_in() {
    let config = Config { links_max: 8, links_wanted: 3, ..Config::default() };
    let mut network = MemoryNetwork::new(ms(5));
    let join = |network: &mut MemoryNetwork, number: u8| {
        network.add(transport_of(config.clone(), context(number)));
        (1..number).for_each(|other| network.introduce(session(other), session(number)));
    };
    (1..=9).for_each(|number| join(&mut network, number));
    network.advance(ms(10_000));
    assert!(
        linked(&network, 9).iter().all(|links| links.len() == 8),
        "a full mesh, in which nobody has room"
    );
    (10..=30).for_each(|number| join(&mut network, number));
    network.advance(ms(60_000));
    let links = linked(&network, 30);
    let few = links.iter().filter(|links| links.len() < 3).count();
    assert_eq!(few, 0, "{links:?}");
    let mut reached = std::collections::BTreeSet::from([1u8]);
    let mut next = vec![1u8];
    while let Some(number) = next.pop() {
        next.extend(links[usize::from(number) - 1].iter().filter(|other| reached.insert(**other)));
    }
    assert_eq!(reached.len(), 30, "{links:?}");

    // At rest: nobody makes way any more.
    network.advance(ms(60_000));
    assert_eq!(linked(&network, 30), links);
}

#[test]
fn we_do_not_link_to_ourselves() {
    let mut one = transport(1);
    assert_eq!(run(&mut one, at(0), found(1)), []);
    assert_eq!(run(&mut one, at(0), offer(1, 3)), []);
    assert_eq!(one.links(), []);
}

#[test]
fn connections_are_made_before_the_incarnation_is_known_and_proved_after() {
    let mut network = network(1);
    network.add(Transport::new(Config::default(), context(2), at(0), Seed::from_number(2)));
    network.introduce(session(1), session(2));
    network.advance(ms(1_000));
    assert_eq!(network.take(session(1)), []);
    assert_eq!(
        network.transport(session(2)).unwrap().links()[0].state,
        LinkState::Attempting(Stage::Handshake)
    );
    network.input(session(2), Input::Incarnation { replica: ReplicaId([9; 16]) });
    network.advance(ms(20));
    let effects = network.take(session(1));
    assert!(
        matches!(&effects[..], [Effect::PeerUp(peer)] if peer.replica == ReplicaId([9; 16])),
        "{effects:?}"
    );
}

#[test]
fn a_full_mesh_of_twelve() {
    let mut network = network(12);
    for a in 1..=12 {
        for b in a + 1..=12 {
            network.introduce(session(a), session(b));
        }
    }
    network.advance(ms(1_000));
    for number in 1..=12 {
        let mut linked = ups(&network.take(session(number)));
        linked.sort_unstable();
        assert_eq!(linked, (1..=12).filter(|other| *other != number).collect::<Vec<_>>());
    }
    network.input(session(3), send(7, Channel::Live, "hello"));
    network.advance(ms(5));
    assert_eq!(payloads(&network.take(session(7))), ["hello"]);
}

#[test]
fn deadlines_are_told_with_their_reason() {
    let mut two = transport(2);
    assert_eq!(two.poll_timeout(), None);
    run(&mut two, at(0), found(1));
    assert_eq!(two.poll_timeout().unwrap().why, "offer a connection");
    run(&mut two, at(0), offer(1, 2));
    assert_eq!(two.poll_timeout().unwrap().why, "signalling takes too long");
}
