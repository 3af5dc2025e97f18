//! What reading a pickle would cost, known before it is read.
//!
//! candle's reader copies an object whenever it is put into the memo or fetched from it, so that a few hundred bytes can grow
//! without bound ("billion laughs"), and it drops nested objects by recursion, which a deep nest turns into a stack overflow that
//! nothing can catch. This walks the same opcodes with the size and depth of each object in its place.

use std::collections::HashMap;

/// What torch's tensors need is below 8.
const MAX_DEPTH: u32 = 64;
/// Bytes that reading may take for each byte of a pickle; checkpoints of torch take about 40.
const MAX_GROWTH: usize = 128;
/// What an object takes in memory beside its text, from above.
const OBJECT: usize = 64;

/// An object on the stack.
#[derive(Debug, Clone, Copy)]
struct Weight {
    bytes: usize,
    depth: u32,
    mark: bool,
}

impl Weight {
    fn leaf(text: usize) -> Self {
        Self {
            bytes: OBJECT + text,
            depth: 1,
            mark: false,
        }
    }
}

/// Checks that a pickle has only the opcodes of torch's checkpoints, and that reading it is cheap.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(pickle: &[u8]) -> Result<(), String> {
    let mut scale = Scale {
        rest: pickle,
        stack: Vec::new(),
        memo: HashMap::new(),
        spent: 0,
    };
    let budget = (1 << 20) + MAX_GROWTH * pickle.len();
    while scale.step().ok_or("it is cut or damaged")?? {
        if scale.spent > budget {
            return Err("its objects are copied again and again".to_owned());
        }
        if scale.stack.last().is_some_and(|top| top.depth > MAX_DEPTH) {
            return Err("its objects are nested too deeply".to_owned());
        }
    }
    Ok(())
}

struct Scale<'a> {
    rest: &'a [u8],
    stack: Vec<Weight>,
    memo: HashMap<u32, Weight>,
    /// Bytes taken by copies.
    spent: usize,
}

impl Scale<'_> {
    /// One opcode: whether there are more; `None` where the pickle or its stack ends too early.
    fn step(&mut self) -> Option<Result<bool, String>> {
        match self.number(1)? as u8 {
            0x80 => self.skip(1)?,
            b'c' => {
                let text = self.line()? + self.line()?;
                self.push(Weight::leaf(text))
            }
            b'X' => {
                let text = self.number(4)?;
                self.skip(text)?;
                self.push(Weight::leaf(text))
            }
            b'J' => self.leaf(4)?,
            b'K' => self.leaf(1)?,
            b'M' => self.leaf(2)?,
            b'G' => self.leaf(8)?,
            0x8a => {
                let length = self.number(1)?;
                if length > 8 {
                    return Some(Err("it has an integer beyond 64 bits".to_owned()));
                }
                self.leaf(length)?
            }
            b'N' | 0x88 | 0x89 | b')' | b']' | b'}' => self.leaf(0)?,
            b'(' => self.push(Weight {
                mark: true,
                ..Weight::leaf(0)
            }),
            b'Q' | 0x85 => self.join(1, false)?,
            0x86 | b'R' | 0x81 => self.join(2, false)?,
            0x87 => self.join(3, false)?,
            b't' => self.join_to_mark(false)?,
            // These add to the object below.
            b'b' => self.join(2, false)?,
            b'a' => self.join(2, true)?,
            b's' => self.join(3, true)?,
            b'e' | b'u' => self.join_to_mark(true)?,
            b'q' => self.put(1)?,
            b'r' => self.put(4)?,
            b'h' => self.get(1)?,
            b'j' => self.get(4)?,
            b'.' => return Some(Ok(false)),
            other => return Some(Err(format!("it has the opcode {other:#04x}"))),
        }
        Some(Ok(true))
    }

    /// The next bytes as a number, the lowest first.
    fn number(&mut self, length: usize) -> Option<usize> {
        let (number, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        let bytes = number.iter().rev();
        Some(bytes.fold(0, |n, byte| (n << 8) | usize::from(*byte)))
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.rest = self.rest.get(length..)?;
        Some(())
    }

    /// The length of a line, which is skipped.
    fn line(&mut self) -> Option<usize> {
        let length = self.rest.iter().position(|byte| *byte == b'\n')?;
        self.skip(length + 1)?;
        Some(length)
    }

    fn push(&mut self, weight: Weight) {
        self.stack.push(weight);
    }

    fn leaf(&mut self, argument: usize) -> Option<()> {
        self.skip(argument)?;
        self.push(Weight::leaf(0));
        Some(())
    }

    /// The top objects become one: a new one around them, or (`into`) the lowest of them with the others in it.
    fn join(&mut self, count: usize, into: bool) -> Option<()> {
        let start = self.stack.len().checked_sub(count)?;
        let parts = self.stack.split_off(start);
        let own = if into { 0 } else { OBJECT };
        let depth = |i: usize, part: &Weight| part.depth + u32::from(!(into && i == 0));
        self.push(Weight {
            bytes: parts.iter().map(|part| part.bytes).sum::<usize>() + own,
            depth: parts.iter().enumerate().map(|(i, p)| depth(i, p)).max()?,
            mark: false,
        });
        Some(())
    }

    /// The same for all objects above the last mark; with `into`, the object below the mark takes them.
    fn join_to_mark(&mut self, into: bool) -> Option<()> {
        let mark = self.stack.iter().rposition(|object| object.mark)?;
        self.stack.remove(mark);
        let count = self.stack.len() - mark;
        match (into, count) {
            (true, _) => self.join(count + 1, true),
            (false, 0) => self.leaf(0),
            (false, _) => self.join(count, false),
        }
    }

    fn put(&mut self, width: usize) -> Option<()> {
        let key = self.number(width)? as u32;
        let top = *self.stack.last()?;
        self.spent = self.spent.saturating_add(top.bytes);
        self.memo.insert(key, top);
        Some(())
    }

    fn get(&mut self, width: usize) -> Option<()> {
        let key = self.number(width)? as u32;
        let object = *self.memo.get(&key)?;
        self.spent = self.spent.saturating_add(object.bytes);
        self.push(object);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_that_doubles_itself_is_refused_before_it_is_read() {
        // A tuple of two times the last tuple, thirty times: 2^30 objects in 180 bytes.
        let mut laughs = b"\x80\x02)q\x00".to_vec();
        for _ in 0..30 {
            laughs.extend(b"h\x00h\x00\x86q\x00");
        }
        laughs.push(b'.');
        assert!(check(&laughs).unwrap_err().contains("again and again"));
    }

    #[test]
    fn a_deep_nest_is_refused() {
        for wrap in [&b"\x85"[..], b"Q", b"\x86", b"\x87", b"R", b"b"] {
            let nest = [&b")".repeat(2000), &wrap.repeat(100), &b"."[..]].concat();
            let problem = check(&nest).unwrap_err();
            assert!(problem.contains("nested"), "{wrap:?}: {problem}");
        }
        let lists = [&b"\x80\x02"[..], &b"]".repeat(100), &b"a".repeat(99), b"."].concat();
        assert!(check(&lists).unwrap_err().contains("nested"));
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        assert!(check(b"\x80\x02X\xff\xff\xff\xff").is_err());
        assert!(check(b"\x80\x02h\x05.").is_err());
        assert!(check(b"\x80\x02t.").is_err());
        assert!(check(b"\x80\x02\x8a\xff").is_err());
        assert!(check(b"\x80\x04\x95").unwrap_err().contains("0x95"));
        assert!(check(b"").is_err());
        assert!(check(b"\x80\x02)q\x00h\x00\x86.").is_ok());
    }
}
