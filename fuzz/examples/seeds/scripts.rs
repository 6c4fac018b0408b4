//! For each machine, a few ordinary lives.

use std::io;

use meshwork_fuzz::{
    script::{Step, script},
    worlds::{consensus, discovery, documents, hub, mesh, op_log, presence, stored_rows, transport},
};

/// Steps without bytes.
fn plain<T: Step>(steps: impl IntoIterator<Item = T>) -> Vec<u8> {
    script(steps.into_iter().map(|step| (step, Vec::new())))
}

/// Writes them all.
pub fn scripts(write: impl Fn(&str, &str, Vec<u8>) -> io::Result<()>) -> io::Result<()> {
    for (target, name, input) in [
        ("consensus", "confirmed", confirmed()),
        ("consensus", "forked", forked()),
        ("discovery", "two-hubs", two_hubs()),
        ("discovery", "refused", refused()),
        ("documents", "concurrent", concurrent()),
        ("documents", "many-kinds", many_kinds()),
        ("hub", "two-in-a-room", two_in_a_room()),
        ("hub", "reconnected", reconnected()),
        ("hub", "two-rooms", two_rooms()),
        ("op_log", "own", own()),
        ("op_log", "received", received()),
        ("op_log", "copied", copied()),
        ("op_log", "equivocation", equivocation()),
        ("presence", "members", members()),
        ("presence", "values", values()),
        ("transport", "linked", linked()),
        ("transport", "forged", forged()),
        ("mesh", "edits", edits()),
        ("mesh", "crashes", crashes()),
        ("mesh", "forgeries", forgeries()),
        ("stored_rows", "untouched", vec![0x0b]),
        ("stored_rows", "damaged", damaged()),
    ] {
        write(target, name, input)?;
    }
    Ok(())
}

fn confirmed() -> Vec<u8> {
    use consensus::Step::*;
    let receipt =
        |counter, sequence| Receipt { peer: 2, node: 2, epoch: 1, counter, replica: 0, sequence, world: 0 };
    let steps = [Incarnation { epoch: 1 }, Up { peer: 2 }, Store { replica: 0, more: 4 }, receipt(1, 3)];
    let more = [Pass { how: 4 }, receipt(2, 9), Store { replica: 0, more: 9 }, Linked { peer: 2, nodes: 7 }];
    plain(steps.into_iter().chain(more).chain([Up { peer: 4 }, Pass { how: 5 }, Down { peer: 2 }]))
}

fn forked() -> Vec<u8> {
    use consensus::Step::*;
    let receipt =
        |node, sequence, world| Receipt { peer: 2, node, epoch: 1, counter: 1, replica: 1, sequence, world };
    let steps = [Incarnation { epoch: 1 }, Up { peer: 2 }, Store { replica: 1, more: 4 }, receipt(2, 5, 1)];
    let more = [
        Cut { replica: 1, to: 1 },
        Store { replica: 1, more: 2 },
        receipt(4, 5, 1),
        Incarnation { epoch: 2 },
    ];
    plain(steps.into_iter().chain(more))
}

fn join_hub(hub: u8, space: u8, peers: u8) -> [discovery::Step; 4] {
    use discovery::Step::*;
    [Opened { hub }, Challenge { hub, protocol: 0 }, Authenticated { hub }, Joined { hub, space, peers }]
}

fn two_hubs() -> Vec<u8> {
    use discovery::Step::*;
    let joined = join_hub(0, 1, 0b110).into_iter().chain(join_hub(1, 1, 0b10));
    let peers = [PeerJoined { hub: 1, peer: 3 }, PeerLeft { hub: 0, peer: 1 }, PeerLeft { hub: 1, peer: 1 }];
    let signals =
        [Signal { hub: 0, from: 2, kind: 0 }, Carry { to: 2, kind: 1 }, Pass { how: 6 }, Ack { hub: 0 }];
    let end = [Closed { hub: 0 }, Pass { how: 7 }, Stop];
    [vec![0], plain([Start].into_iter().chain(joined).chain(peers).chain(signals).chain(end))].concat()
}

fn refused() -> Vec<u8> {
    use discovery::Step::*;
    let first = join_hub(0, 1, 0b111110).into_iter().chain([Pass { how: 7 }]);
    let second = join_hub(0, 0, 0b10).into_iter().chain([Refused { hub: 0, code: 4 }, Pass { how: 12 }]);
    [vec![1], plain([Start].into_iter().chain(first).chain(second))].concat()
}

fn concurrent() -> Vec<u8> {
    use documents::Step::*;
    let edit = |at, kind, path, value| Edit { at, document: 0, kind, path, value };
    let apart =
        [edit(0, 0, 64, 10), edit(1, 1, 64, 12), edit(2, 4, 65, 3), edit(0, 3, 64, 0), edit(1, 5, 65, 2)];
    let meet = [Deliver { at: 0, author: 1 }, Deliver { at: 1, author: 0 }, Deliver { at: 2, author: 0 }];
    let after = [
        edit(2, 3, 0, 0),
        Deliver { at: 1, author: 2 },
        Rebuild { at: 1 },
        Incarnation { at: 1 },
        edit(1, 6, 65, 2),
    ];
    plain(apart.into_iter().chain(meet).chain(after))
}

fn many_kinds() -> Vec<u8> {
    use documents::Step::*;
    let all =
        (0..7).map(|kind| Edit { at: kind % 3, document: 0, kind, path: 64 + kind % 3, value: 20 + kind });
    let twice = (0..7).map(|kind| Transaction { at: 0, first: kind, second: kind + 1, path: 130, value: 33 });
    let many = (0..7).map(|kind| Many { at: 1, first: kind, second: kind + 2, path: 130, value: 33 });
    let plain = all.chain(twice).chain(many).chain([Pass { at: 0, how: 4 }, Deliver { at: 2, author: 0 }]);
    let strange = (Stranger { has_seen: 1, time: 40 }, vec![1, 0, 2, 0, 1, 1, b'a']);
    script(plain.map(|step| (step, Vec::new())).chain([strange, (Deliver { at: 0, author: 3 }, Vec::new())]))
}

fn enter(connection: u8, session: u8) -> [hub::Step; 3] {
    use hub::Step::*;
    let node = session;
    let join = Join { connection, room: 0, space: 0, adopt: 0, password: 0 };
    [Connect { address: 0 }, Authenticate { connection, session, node, host: 0 }, join]
}

fn two_in_a_room() -> Vec<u8> {
    use hub::Step::*;
    let talk = [
        Signal { connection: 0, to: 2, kind: 0 },
        Signal { connection: 1, to: 0, kind: 1 },
        Beat { connection: 0 },
    ];
    let end = [Leave { connection: 1 }, Gone { connection: 0 }, Pass { how: 7 }];
    plain(enter(0, 0).into_iter().chain(enter(1, 2)).chain(talk).chain(end))
}

fn reconnected() -> Vec<u8> {
    use hub::Step::*;
    let broken = [Gone { connection: 1 }, Signal { connection: 0, to: 2, kind: 0 }, Pass { how: 4 }];
    let wrong = [Connect { address: 1 }, Authenticate { connection: 1, session: 4, node: 4, host: 0 }];
    let password = Join { connection: 1, room: 0, space: 0, adopt: 0, password: 7 };
    let all = enter(0, 0).into_iter().chain(enter(1, 2)).chain(broken).chain(enter(1, 2));
    plain(all.chain(wrong).chain([password, Violated { connection: 0 }, Pass { how: 12 }]))
}

fn two_rooms() -> Vec<u8> {
    use hub::Step::*;
    let there = [Connect { address: 0 }, Authenticate { connection: 1, session: 2, node: 2, host: 0 }];
    let talk = [
        Join { connection: 1, room: 1, space: 0, adopt: 0, password: 0 },
        Signal { connection: 0, to: 2, kind: 0 },
    ];
    plain(enter(0, 0).into_iter().chain(there).chain(talk))
}

fn own() -> Vec<u8> {
    use op_log::Step::*;
    let write = |size| Write { size, depends: 0 };
    let first =
        [write(0), Sync { count: 9 }, Up { peer: 1 }, Digest { peer: 1, equal: 0, answer: 0 }, write(2)];
    let then = [
        Sync { count: 9 },
        Want { peer: 1, after: 0, credit: 20 },
        Pass { how: 3 },
        write(1),
        Crash { kept: 0 },
    ];
    plain(first.into_iter().chain(then).chain([write(3), Close { answer: 1 }, write(0), Down { peer: 1 }]))
}

fn received() -> Vec<u8> {
    use op_log::Step::*;
    let author = |author, seen| Author { author, seen, size: 1 };
    let blocks = |author| Blocks { peer: 1, author, of_liar: 0, from: 0, count: 9, wanted: 0 };
    let written = [author(0, 0), author(1, 1), author(0, 2), author(2, 3), Up { peer: 1 }, Up { peer: 2 }];
    let taken =
        [Have { peer: 1, author: 2, sequence: 0, lie: 0, answer: 1 }, blocks(2), blocks(1), blocks(0)];
    let after = [
        Write { size: 0, depends: 1 },
        Sync { count: 20 },
        Pass { how: 5 },
        Congested { peer: 1 },
        author(1, 4),
    ];
    let end = [blocks(1), Drained { peer: 1 }, Compare, Pass { how: 6 }, Close { answer: 1 }];
    plain(written.into_iter().chain(taken).chain(after).chain(end))
}

fn copied() -> Vec<u8> {
    use op_log::Step::*;
    let write = Write { size: 1, depends: 0 };
    let closed = [Sync { count: 9 }, write, Close { answer: 1 }];
    let apart = [Sync { count: 9 }, Write { size: 2, depends: 0 }, Sync { count: 1 }, Up { peer: 1 }];
    let met =
        [Copy { peer: 1, count: 2 }, Sync { count: 1 }, Crash { kept: 1 }, Write { size: 0, depends: 0 }];
    plain(closed.into_iter().chain(apart).chain(met))
}

fn equivocation() -> Vec<u8> {
    use op_log::Step::*;
    let author = Author { author: 0, seen: 0, size: 1 };
    let blocks = |peer, of_liar| Blocks { peer, author: 0, of_liar, from: 0, count: 9, wanted: 0 };
    let said = [author, Liar { author: 0 }, Up { peer: 1 }, Up { peer: 2 }, blocks(1, 0), blocks(2, 1)];
    let more = [
        Author { author: 0, seen: 0, size: 2 },
        blocks(1, 0),
        Proof { peer: 2, author: 0, first: 0, second: 0 },
    ];
    plain(said.into_iter().chain(more).chain([Sync { count: 9 }, Crash { kept: 0 }]))
}

fn members() -> Vec<u8> {
    use presence::Step::*;
    let beat = |peer, beat, revision| Beat { peer, beat, revision, away: 0 };
    let here = [Up { peer: 0 }, beat(0, 1, 1), Up { peer: 1 }, beat(1, 1, 1), beat(0, 2, 2)];
    let rumours = [
        Rumour { peer: 0, about: 4, beat: 3, age_s: 1, revision: 1 },
        RumouredLeft { peer: 1, about: 4, beat: 4 },
    ];
    let end = [
        Leave { peer: 1, beat: 9 },
        Down { peer: 0, left: 0 },
        Pass { how: 6 },
        Away { away: 1 },
        Pass { how: 12 },
    ];
    plain(here.into_iter().chain(rumours).chain(end).chain([Goodbye]))
}

fn values() -> Vec<u8> {
    use presence::Step::*;
    let here = [Up { peer: 0 }, Beat { peer: 0, beat: 1, revision: 1, away: 0 }];
    let show = |version, distances, ttl| (Show { peer: 0, version, distances, ttl }, b"here".to_vec());
    let shown = [show(5, [1, 1, 0], 8), show(7, [1, 2, 0], 20), show(6, [1, 0, 0], 8)];
    let own = [
        (Value { key: 0, ttl: 8 }, b"there".to_vec()),
        (Pass { how: 5 }, vec![]),
        (Clear { key: 0 }, vec![]),
    ];
    script(
        here.map(|step| (step, Vec::new()))
            .into_iter()
            .chain(shown)
            .chain(own)
            .chain([(Pass { how: 6 }, vec![])]),
    )
}

fn linked() -> Vec<u8> {
    use transport::Step::*;
    let send = |at, size| Send { at, channel: 1, size };
    let up = [Introduce, Pass { how: 3 }, send(0, 9), send(1, 200), Pass { how: 3 }, Hold { at: 0, on: 0 }];
    let full = (0..12).map(|_| send(0, 250));
    let end = [
        Hold { at: 0, on: 1 },
        Pass { how: 4 },
        Silence { on: 0 },
        Pass { how: 6 },
        Silence { on: 1 },
        Pass { how: 7 },
    ];
    let again = [
        Disconnect,
        Pass { how: 6 },
        Restart { at: 1 },
        Introduce,
        Pass { how: 6 },
        Close { at: 0 },
        Pass { how: 4 },
    ];
    plain(up.into_iter().chain(full).chain(end).chain(again))
}

fn forged() -> Vec<u8> {
    use transport::Step::*;
    let no = Vec::new;
    let signal = |from, kind, attempt| Signal { at: 0, from, kind, attempt, link: 1 };
    script([
        (Found { at: 0, peer: 1 }, no()),
        (signal(3, 0, 2), no()),
        (signal(3, 2, 2), b"candidate".to_vec()),
        (Introduce, no()),
        (Pass { how: 1 }, no()),
        (Message { at: 0, channel: 0, protocol: 0 }, vec![3, 9]),
        (Pass { how: 3 }, no()),
        (Message { at: 0, channel: 1, protocol: 1 }, b"payload".to_vec()),
        (Frame { at: 1, channel: 0 }, vec![1, 0, 255]),
        (Misbehaved { at: 0, peer: 1 }, b"lies".to_vec()),
        (Connection { at: 0, link: 1, kind: 0 }, b"gone".to_vec()),
        (Gone { at: 0, peer: 1 }, no()),
        (Pass { how: 12 }, no()),
    ])
}

fn edits() -> Vec<u8> {
    use mesh::Step::*;
    let edit = |at, kind, value| Edit { at, kind, path: 0, value };
    let begin =
        [Run { rounds: 50 }, Pass { how: 4, stuck: 0 }, edit(0, 0, 1), edit(1, 1, 2), Run { rounds: 20 }];
    let more =
        [Burst { at: 0, count: 60 }, Cut { on: 1 }, edit(1, 2, 3), Pass { how: 6, stuck: 0 }, Cut { on: 0 }];
    let end = [
        Compare { at: 0 },
        Show { at: 0, ttl: 20 },
        Pass { how: 5, stuck: 0 },
        Close { at: 1 },
        Run { rounds: 20 },
    ];
    plain(begin.into_iter().chain(more).chain(end).chain([Start { at: 1 }, edit(1, 0, 9)]))
}

fn crashes() -> Vec<u8> {
    use mesh::Step::*;
    let edit = |at, value| Edit { at, kind: 0, path: 0, value };
    let begin = [
        Pass { how: 4, stuck: 0 },
        edit(0, 1),
        edit(0, 2),
        Next { lane: 0 },
        Crash { at: 0, kept: 1 },
        edit(1, 3),
    ];
    let more = [
        Pass { how: 5, stuck: 0 },
        Start { at: 0 },
        edit(0, 4),
        Pass { how: 3, stuck: 1 },
        HubRestart,
        Crash { at: 1, kept: 0 },
    ];
    plain(begin.into_iter().chain(more).chain([
        Start { at: 1 },
        Pass { how: 8, stuck: 0 },
        Disconnect,
        edit(1, 5),
    ]))
}

fn forgeries() -> Vec<u8> {
    use mesh::Step::*;
    let no = Vec::new;
    script([
        (Pass { how: 5, stuck: 0 }, no()),
        (Edit { at: 0, kind: 0, path: 0, value: 1 }, no()),
        (Corrupt { at: 1, byte: 9, bits: 4 }, no()),
        (Run { rounds: 9 }, no()),
        (Message { at: 0, channel: 0, protocol: 2 }, vec![2, 9]),
        (Message { at: 1, channel: 1, protocol: 1 }, vec![4, 0, 1, 3, 1, 2, 3]),
        (Frame { at: 0, channel: 2 }, vec![1, 0, 7]),
        (HubText { at: 0 }, br#"{"type":"peer-left","session":"02020202020202020202020202020202"}"#.to_vec()),
        (Status { at: 0, away: 1 }, b"busy".to_vec()),
        (Pass { how: 6, stuck: 0 }, no()),
    ])
}

fn damaged() -> Vec<u8> {
    use stored_rows::Step::*;
    let flips =
        plain([Flip { row: 1, at: 70, page: 0, bits: 1 }, Older { row: 7 }, Cut { row: 2, bytes: 3 }]);
    let rest = plain([Double { row: 0, to: 1 }, Lose { row: 3 }, FlipKey { row: 0, at: 2, bits: 8 }]);
    [vec![0x06], flips, rest].concat()
}
