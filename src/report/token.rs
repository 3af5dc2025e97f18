//! How a token is written in pictures.

/// The vocabulary's spelling, but the marker of a space is one that the font has, and what breaks lines is seen.
pub(super) fn drawn(token: &str) -> String {
    token.replace(['Ġ', '▁'], "_").replace(['\n', 'Ċ'], "↵")
}

#[cfg(test)]
mod tests {
    use super::drawn;

    #[test]
    fn markers_of_spaces_become_letters_that_the_font_has() {
        assert_eq!(drawn("ĠParis"), "_Paris");
        assert_eq!(drawn("▁Paris"), "_Paris");
        assert_eq!(drawn("##ing"), "##ing");
        assert_eq!(drawn("Ċ"), "↵");
    }
}
