//! What a hostile node was sent.

use std::collections::{BTreeMap, VecDeque};

use meshwork::{Bytes, NodeId, SpaceId};
use meshwork_consensus::{self as consensus, Receipt};
use meshwork_op_log as op_log;
use meshwork_wire::{Channel, Envelope, Protocol, decode};

use super::{author, frames};

/// So many frames, and so many blocks, are remembered.
const REMEMBERED: usize = 64;

/// The last things that were sent to it.
#[derive(Default)]
pub(crate) struct Overheard {
    /// Whole frames, and on which channel they came.
    pub(super) frames: VecDeque<(Channel, Bytes)>,
    /// Blocks, and who signed them.
    pub(super) blocks: VecDeque<(NodeId, Bytes)>,
    /// The last receipt of each node.
    pub(super) receipts: BTreeMap<NodeId, Receipt>,
}

impl Overheard {
    /// A frame came.
    pub(super) fn hear(&mut self, space: SpaceId, channel: Channel, frame: &Bytes) {
        remember(&mut self.frames, (channel, frame.clone()));
        for Envelope { protocol, payload } in frames::open(channel, frame).unwrap_or_default() {
            match protocol {
                Protocol::OpLog => {
                    if let Ok(op_log::Message::Blocks { blocks, .. }) = decode(&payload) {
                        let signed = |block: Bytes| Some((author::of(&block)?, block));
                        blocks
                            .into_iter()
                            .filter_map(signed)
                            .for_each(|block| remember(&mut self.blocks, block));
                    }
                }
                Protocol::Consensus => {
                    let receipts = match decode(&payload) {
                        Ok(consensus::Message::Receipt(signed)) => vec![signed],
                        Ok(consensus::Message::Receipts(receipts)) => receipts,
                        _ => Vec::new(),
                    };
                    let read = receipts.iter().filter_map(|signed| signed.read(space).ok());
                    self.receipts.extend(read.map(|receipt| (receipt.node, receipt)));
                }
                _ => {}
            }
        }
    }
}

fn remember<T>(list: &mut VecDeque<T>, thing: T) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(thing);
}
