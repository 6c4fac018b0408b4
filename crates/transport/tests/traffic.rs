//! Payloads: promptness, batching, back-pressure, and what garbage costs.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use meshwork_base::{Machine, Seed};
use meshwork_transport::{
    Config, ConnectionAction, ConnectionEvent, Effect, IN_FLIGHT_BYTES_MAX, Input, LinkId, LinkState,
    MemoryNetwork, Message,
};
use meshwork_wire::{Assembler, Channel, FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Protocol};
use proptest::prelude::*;
use support::*;

fn sent(channel: Channel, bytes: usize) -> Input {
    event(LinkId(1), ConnectionEvent::Sent { channel, bytes })
}

#[test]
fn an_idle_link_transmits_within_the_same_step_on_the_named_channel() {
    let mut one = linked(Config::default());
    for channel in Channel::ALL {
        let effects = run(&mut one, at(200), send(2, channel, "now"));
        assert_eq!(actions(&effects), [(1, format!("transmit {}", channel.label()))]);
    }
}

#[test]
fn a_busy_channel_gathers_and_sent_lets_a_batch_go() {
    let mut one = linked(Config::default());
    let first = frames_of(&run(&mut one, at(200), send(2, Channel::Live, noise(0, 5_000))));
    assert_eq!(first.len(), 1);
    for number in 0..100 {
        assert_eq!(run(&mut one, at(200), send(2, Channel::Live, noise(number, 100))), []);
    }
    assert_eq!(one.links()[0].queued_bytes, 100 * 105);
    let batch = frames_of(&run(&mut one, at(201), sent(Channel::Live, first[0].len())));
    assert_eq!(batch.len(), 1);
    assert_eq!(Assembler::default().open(batch[0].clone()).unwrap().len(), 100);
    // Another channel of the same link does not wait.
    assert_eq!(frames_of(&run(&mut one, at(201), send(2, Channel::Control, "x"))).len(), 1);
}

#[test]
fn full_frames_leave_up_to_the_bound_without_waiting() {
    let mut one = linked(Config::default());
    let effects = run(&mut one, at(200), send(2, Channel::Bulk, noise(1, MESSAGE_BYTES_MAX)));
    let sizes: Vec<usize> = frames_of(&effects).iter().map(Bytes::len).collect();
    assert_eq!(sizes, [FRAME_BYTES_MAX, FRAME_BYTES_MAX]);
    let effects = run(&mut one, at(200), sent(Channel::Bulk, FRAME_BYTES_MAX));
    assert_eq!(frames_of(&effects).len(), 1);
}

#[test]
fn a_full_queue_is_told_once_and_so_is_a_drained_one() {
    let mut one = linked(Config::default());
    let mut told = Vec::new();
    let mut in_flight = Vec::new();
    for number in 0..6 {
        let effects = run(&mut one, at(200), send(2, Channel::Bulk, noise(number, 1 << 20)));
        in_flight.extend(frames_of(&effects).iter().map(Bytes::len));
        told.extend(effects.into_iter().filter(|effect| !matches!(effect, Effect::Connection { .. })));
    }
    assert_eq!(told, [Effect::Congested { peer: session(2) }]);
    while let Some(bytes) = in_flight.pop() {
        let effects = run(&mut one, at(201), sent(Channel::Bulk, bytes));
        in_flight.extend(frames_of(&effects).iter().map(Bytes::len));
        told.extend(effects.into_iter().filter(|effect| !matches!(effect, Effect::Connection { .. })));
    }
    assert_eq!(told[1..], [Effect::Drained { peer: session(2) }]);
    assert_eq!(one.links()[0].queued_bytes, 0);
}

#[test]
fn an_overfull_queue_costs_the_link_and_says_why() {
    let mut network = pair();
    network.hold_sent(session(1), session(2));
    for number in 0..10 {
        network.input(session(1), send(2, Channel::Bulk, noise(number, 1 << 20)));
    }
    let effects = network.take(session(1));
    assert!(effects.contains(&Effect::Congested { peer: session(2) }));
    let downs = downs(&effects);
    assert!(downs[0].2.starts_with("it is too slow for what it is sent: "), "{downs:?}");
    network.release_sent(session(1), session(2));
    network.advance(ms(1_000));
    assert_eq!(ups(&network.take(session(1))), [2], "it comes back");
}

fn show(to: u8, payload: impl Into<Bytes>) -> Input {
    let (channel, protocol) = (Channel::Lossy, Protocol::Ephemeral);
    Input::Send { to: session(to), channel, protocol, payload: payload.into() }
}

#[test]
fn on_a_congested_lossy_channel_the_newest_stay_and_nothing_else_waits_or_ends() {
    let mut network = MemoryNetwork::new(ms(5));
    let config = Config { lossy_datagrams_max: 3, ..Config::default() };
    network.add(transport_of(config, context(1)));
    network.add(transport(2));
    network.introduce(session(1), session(2));
    network.advance(ms(500));
    network.take(session(2));
    network.hold_sent(session(1), session(2));
    for number in 0..20_000u32 {
        network.input(session(1), show(2, [&number.to_le_bytes()[..], &[0; 996]].concat()));
    }
    assert_eq!(network.transport(session(1)).unwrap().links()[0].queued_bytes, 0);
    network.input(session(1), send(2, Channel::Live, "prompt"));
    network.advance(ms(5));
    let number = |payload: &Bytes| payload[..4].try_into().map(u32::from_le_bytes).unwrap();
    let mut got = payloads(&network.take(session(2)));
    assert_eq!(got.pop().unwrap(), "prompt");
    assert_eq!(got.iter().map(number).collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
    network.release_sent(session(1), session(2));
    network.advance(ms(10));
    let got = payloads(&network.take(session(2)));
    assert_eq!(got.iter().map(number).collect::<Vec<_>>(), [19_997, 19_998, 19_999]);
    assert!(
        network
            .take(session(1))
            .iter()
            .all(|effect| !matches!(effect, Effect::Congested { .. } | Effect::PeerDown { .. }))
    );
}

#[test]
fn a_datagram_stands_alone_whatever_becomes_of_the_others() {
    let mut network = pair();
    let mut kept: Option<Bytes> = None;
    // The first is lost, the second comes after the third, the fourth twice.
    let mut count = 0;
    network.tamper_frames(session(1), session(2), move |channel, frame| {
        if channel != Channel::Lossy {
            return vec![frame];
        }
        count += 1;
        match count {
            1 => vec![],
            2 => kept.replace(frame).into_iter().collect(),
            3 => std::iter::once(frame).chain(kept.take()).collect(),
            _ => vec![frame.clone(), frame],
        }
    });
    for word in ["one", "two", "three", "four"] {
        network.input(session(1), show(2, word));
    }
    network.advance(ms(10));
    assert_eq!(payloads(&network.take(session(2))), ["three", "two", "four", "four"]);
}

#[test]
fn a_slow_peer_does_not_delay_another() {
    let mut network = network(3);
    for (a, b) in [(1, 2), (1, 3), (2, 3)] {
        network.introduce(session(a), session(b));
    }
    network.advance(ms(500));
    network.hold_sent(session(1), session(2));
    for number in 0..6 {
        network.input(session(1), send(2, Channel::Live, noise(number, 1 << 20)));
    }
    network.input(session(1), send(3, Channel::Live, "prompt"));
    network.advance(ms(5));
    assert_eq!(payloads(&network.take(session(3))), ["prompt"]);
}

#[test]
fn nothing_is_lost_or_reordered_on_a_channel() {
    let mut network = pair();
    let messages: Vec<Bytes> =
        (0..200).map(|number| noise(number, (number * 397 % 40_000) as usize + 1)).collect();
    for message in &messages {
        network.input(session(1), send(2, Channel::Live, message.clone()));
    }
    network.advance(ms(1_000));
    assert_eq!(payloads(&network.take(session(2))), messages);
    let (one, two) = (network.transport(session(1)).unwrap(), network.transport(session(2)).unwrap());
    assert_eq!(one.totals().bytes_sent, two.totals().bytes_received);
    assert_eq!(one.totals().frames_sent, two.totals().frames_received);
    assert_eq!(one.links()[0].traffic, one.totals());
}

#[test]
fn garbage_costs_the_link_and_the_node_is_ignored_for_a_while() {
    let flipped = {
        let mut bytes = frame_of(Protocol::OpLog, vec![b'x'; 600]).to_vec();
        bytes[9] ^= 0x40;
        bytes
    };
    let table: [(Channel, Vec<u8>, &str); 13] = [
        (Channel::Live, vec![], "frame header is cut short"),
        (Channel::Live, noise(5, 70_000).to_vec(), "frame of 70000 bytes is over the limit"),
        (Channel::Bulk, frame_of(Protocol::OpLog, "abc")[..8].to_vec(), "envelope is cut short"),
        (Channel::Control, flipped, "is cut short"),
        (Channel::Control, frame_of(Protocol::Link, "\u{7f}").to_vec(), "malformed message"),
        (Channel::Live, frame_of(Protocol::Link, Message::Ready.encode()).to_vec(), "it sent a link message"),
        (Channel::Control, vec![1, 0, 77, 0, 0, 0, 0], "protocol 77 is unknown"),
        (Channel::Lossy, vec![], "datagram header is cut short"),
        (Channel::Lossy, noise(5, 1_151).to_vec(), "datagram of 1151 bytes is over the limit of 1150"),
        (Channel::Lossy, vec![1, 0, 0x85, 0, 0, 0, 0], "protocol 133 is unknown"),
        (Channel::Lossy, frame_of(Protocol::OpLog, "x").to_vec(), "a channel that is not for it"),
        (
            Channel::Lossy,
            frame_of(Protocol::Link, Message::Ready.encode()).to_vec(),
            "it sent a link message",
        ),
        (Channel::Live, frame_of(Protocol::Ephemeral, "x").to_vec(), "a channel that is not for it"),
    ];
    for (channel, bytes, expected) in table {
        let mut network = pair();
        network.inject(session(2), session(1), channel, bytes.into());
        network.advance(ms(50));
        let effects = network.take(session(1));
        let told = misbehaviour(&effects);
        assert!(told[0].0.contains(expected) && told[0].1, "{told:?}");
        assert!(downs(&effects)[0].2.starts_with("cut off: "));
        let other = downs(&network.take(session(2)));
        assert!(other[0].2.starts_with("it refuses us: ") && other[0].2.contains(expected), "{other:?}");
        // For a minute it is neither dialled nor answered.
        network.advance(ms(59_000));
        assert!(ups(&network.take(session(1))).is_empty());
        assert!(matches!(network.transport(session(1)).unwrap().links()[0].state, LinkState::Waiting { .. }));
        network.advance(ms(60_000));
        assert_eq!(ups(&network.take(session(1))), [2]);
    }
}

#[test]
fn what_other_machines_report_is_counted_and_the_third_time_cuts_every_link_of_the_node() {
    let mut network = network(1);
    for number in [2, 3] {
        // Two tabs of one node.
        let context = meshwork_transport::Context { session: session(number), ..context(9) };
        network.add(transport_of(Config::default(), context));
        network.introduce(session(1), session(number));
    }
    network.advance(ms(500));
    assert_eq!(ups(&network.take(session(1))), [2, 3]);
    for (peer, cut) in [(2, false), (3, false), (2, true)] {
        network.input(session(1), Input::Misbehaved { peer: session(peer), reason: "bad block".into() });
        let effects = network.take(session(1));
        assert_eq!(misbehaviour(&effects), [("bad block".into(), cut)]);
        assert_eq!(downs(&effects).len(), if cut { 2 } else { 0 });
    }
    // What was still under way to other machines is reported too, and is of no interest any more.
    network.input(session(1), Input::Misbehaved { peer: session(2), reason: "bad block".into() });
    assert_eq!(network.take(session(1)), []);
}

#[test]
fn a_flood_of_pings_fills_no_memory() {
    let mut one = linked(Config::default());
    let mut random = Seed::from_number(1).random();
    for _ in 0..50_000 {
        let frame = frame_of(Protocol::Link, Message::Ping { token: random.number() }.encode());
        run(
            &mut one,
            at(200),
            event(LinkId(1), ConnectionEvent::Received { channel: Channel::Control, frame }),
        );
    }
    assert!(one.links()[0].queued_bytes <= 2 * FRAME_BYTES_MAX, "{:?}", one.links()[0]);
}

#[test]
fn a_flood_of_signals_fills_no_memory() {
    let config = Config { links_max: 4, peers_max: 8, ..Config::default() };
    let mut one = transport_of(config, context(1));
    for round in 0..50u64 {
        for number in 2..=255 {
            run(&mut one, at(round), offer(number, round * 2 + 1));
            run(&mut one, at(round), candidate(number, round * 2 + 3, "c"));
            run(&mut one, at(round), found(number));
            run(&mut one, at(round), answer(number, round * 2));
        }
    }
    assert!(one.links().len() <= 8);
    let active = one.links().iter().filter(|link| !matches!(link.state, LinkState::Waiting { .. })).count();
    assert_eq!(active, 4);
    let huge = "x".repeat(100_000);
    assert_eq!(run(&mut one, at(99), candidate(2, 999, &huge)), [], "a hub may have made it up");
}

fn any_frame() -> impl Strategy<Value = Bytes> {
    let valid = (0u8..6, any::<u64>(), 1usize..200).prop_map(|(protocol, token, size)| match protocol {
        1 => frame_of(Protocol::Link, Message::Ping { token }.encode()),
        2 => frame_of(Protocol::Link, Message::Ready.encode()),
        _ => frame_of(Protocol::OpLog, noise(token, size)),
    });
    prop_oneof![
        2 => valid.clone(),
        2 => (valid, any::<prop::sample::Index>(), 0u8..8).prop_map(|(frame, index, bit)| {
            let mut bytes = frame.to_vec();
            bytes[index.index(frame.len())] ^= 1 << bit;
            bytes.into()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..100).prop_map(Bytes::from),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let channel = prop::sample::select(Channel::ALL.to_vec());
    let link = (1u64..8).prop_map(LinkId);
    let peer = 2u8..5;
    prop_oneof![
        peer.clone().prop_map(found),
        peer.clone().prop_map(|peer| Input::PeerGone { session: session(peer) }),
        (peer.clone(), 0u64..20).prop_map(|(peer, attempt)| offer(peer, attempt)),
        (peer.clone(), 0u64..20).prop_map(|(peer, attempt)| answer(peer, attempt)),
        (peer.clone(), 0u64..20).prop_map(|(peer, attempt)| candidate(peer, attempt, "c")),
        (peer.clone(), channel.clone(), 0usize..10_000).prop_map(|(peer, channel, size)| send(
            peer,
            channel,
            noise(1, size)
        )),
        peer.prop_map(|peer| Input::Misbehaved { peer: session(peer), reason: "r".into() }),
        link.clone().prop_map(|link| event(link, ConnectionEvent::Described("d".into()))),
        link.clone().prop_map(|link| event(link, ConnectionEvent::Candidate("c".into()))),
        link.clone().prop_map(|link| event(link, ConnectionEvent::Opened(fingerprints()))),
        (link.clone(), channel.clone(), any_frame())
            .prop_map(|(link, channel, frame)| event(link, ConnectionEvent::Received { channel, frame })),
        (link.clone(), channel, any::<usize>())
            .prop_map(|(link, channel, bytes)| event(link, ConnectionEvent::Sent { channel, bytes })),
        link.prop_map(|link| event(link, ConnectionEvent::Closed { reason: "c".into() })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever comes in whatever order, nothing panics, and the same inputs give the same effects. Session 1 starts
    /// with a link that is up.
    #[test]
    fn any_inputs_are_survived_and_give_the_same_effects_again(
        inputs in prop::collection::vec((any_input(), 0u64..800), 0..60)
    ) {
        let mut traces = Vec::new();
        for _ in 0..2 {
            let mut one = linked(Config::default());
            let (mut now, mut trace) = (200, Vec::new());
            for (input, pause) in &inputs {
                trace.extend(run(&mut one, at(now), input.clone()));
                now += pause;
                one.handle_timeout(at(now));
                trace.extend(std::iter::from_fn(|| one.poll_effect()));
                prop_assert!(one.poll_timeout().is_none_or(|deadline| !deadline.is_due(at(now))));
            }
            traces.push(trace);
        }
        prop_assert_eq!(&traces[0], &traces[1]);
        // Ups and downs of a session alternate, and nothing is delivered in between.
        let mut up = BTreeMap::from([(session(2), true)]);
        for effect in &traces[0] {
            match effect {
                Effect::PeerUp(peer) => prop_assert!(!up.insert(peer.session, true).unwrap_or(false)),
                Effect::PeerDown { peer, .. } => prop_assert!(up.insert(*peer, false).unwrap_or(false)),
                Effect::Deliver { from, .. } => prop_assert!(up.get(from).copied().unwrap_or(false)),
                _ => {}
            }
        }
    }

    /// At most so much is transmitted on a channel beyond what was `Sent`.
    #[test]
    fn what_is_in_flight_is_bounded(
        steps in prop::collection::vec((prop::sample::select(Channel::RELIABLE.to_vec()), 0usize..150_000, any::<bool>()), 1..20)
    ) {
        let mut one = linked(Config::default());
        let mut in_flight = BTreeMap::<Channel, Vec<usize>>::new();
        for (channel, size, acknowledge) in steps {
            let input = match in_flight.get_mut(&channel).and_then(Vec::pop) {
                Some(bytes) if acknowledge => sent(channel, bytes),
                popped => {
                    in_flight.entry(channel).or_default().extend(popped);
                    send(2, channel, noise(size as u64, size))
                }
            };
            for effect in run(&mut one, at(200), input) {
                if let Effect::Connection { action: ConnectionAction::Transmit { channel, frame }, .. } = effect {
                    in_flight.entry(channel).or_default().push(frame.len());
                }
            }
            for sizes in in_flight.values() {
                prop_assert!(sizes.iter().sum::<usize>() <= IN_FLIGHT_BYTES_MAX);
            }
        }
    }
}
