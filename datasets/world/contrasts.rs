//! The set `contrasts.csv`: statements beside their denials, for probes that learn from pairs without being told which one is true.

use super::draw::Draw;
use super::truth::sources;
use super::{SEED, Split, Table, World};

/// The most facts of one topic, both sides together; each makes four rows.
const MOST: usize = 120;

/// The set. Of each claim, the statement and its denial are a pair: one of the two is true. As in `truth.csv`, claims that hold and claims that
/// do not have the same words, so that neither a word nor the polarity tells which.
pub(crate) fn table(world: &World) -> Table {
    let mut table = Table::new(&[
        "text", "label", "polarity", "pair", "topic", "entity", "split",
    ]);
    let mut draw = Draw::new(SEED, "contrasts");
    let mut pair = 0;
    for split in Split::BOTH {
        for mut source in sources(world, split) {
            draw.shuffle(&mut source.facts);
            source.facts.truncate(match split {
                Split::Train => MOST * 3 / 4,
                Split::Test => MOST / 4,
            });
            let claims = source.says.pairs(world, source.facts, &mut draw);
            for claim in claims.into_iter().flatten() {
                let sides = [
                    (claim.clause.affirm(), claim.holds, "affirmative"),
                    (claim.clause.negate(), !claim.holds, "negated"),
                ];
                for (text, holds, polarity) in sides {
                    table.push([
                        text,
                        holds.to_string(),
                        polarity.to_owned(),
                        pair.to_string(),
                        claim.topic.name().to_owned(),
                        claim.entity.clone(),
                        split.name().to_owned(),
                    ]);
                }
                pair += 1;
            }
        }
    }
    table
}
