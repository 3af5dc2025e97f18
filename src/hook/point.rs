//! One place inside a model (`blocks.3.resid_post`), and selections of them.

use super::{Depth, Site};
use crate::error::{Error, Result};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// One place inside a model: a site, in a block or once per model. Ordered by depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HookPoint {
    layer: Option<usize>,
    site: Site,
}

impl HookPoint {
    /// The site `site` of block `layer`.
    ///
    /// # Errors
    /// [`Error::UnknownPoint`] if the model has that site only once.
    pub fn block(layer: usize, site: Site) -> Result<Self> {
        if !site.in_block() {
            return Err(unknown(&format!("blocks.{layer}.{site}")));
        }
        Ok(Self {
            layer: Some(layer),
            site,
        })
    }

    /// The site `site` that the model has once.
    ///
    /// # Errors
    /// [`Error::UnknownPoint`] if the site is one of every block.
    pub fn global(site: Site) -> Result<Self> {
        if site.in_block() {
            return Err(unknown(site.name()));
        }
        Ok(Self { layer: None, site })
    }

    /// For the model code, which names only sites that exist.
    pub(crate) fn at(layer: Option<usize>, site: Site) -> Self {
        Self { layer, site }
    }

    /// The block, or `None` for a site that the model has once.
    pub fn layer(self) -> Option<usize> {
        self.layer
    }

    /// The kind of place.
    pub fn site(self) -> Site {
        self.site
    }

    /// How deep the model must run to reach this point.
    pub fn depth(self) -> Depth {
        match (self.site, self.layer) {
            (Site::Embed | Site::PosEmbed, _) | (Site::ResidPre, Some(0)) => Depth::Embed,
            (Site::FinalNorm, _) => Depth::FinalNorm,
            (Site::Logits, _) => Depth::Head,
            (_, layer) => Depth::Block(layer.unwrap_or(0)),
        }
    }

    fn rank(self) -> (usize, usize, usize) {
        let stage = match self.site {
            Site::Embed | Site::PosEmbed => 0,
            Site::FinalNorm | Site::Logits => 2,
            _ => 1,
        };
        (stage, self.layer.unwrap_or(0), self.site as usize)
    }
}

impl PartialOrd for HookPoint {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HookPoint {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Some(layer) => write!(f, "blocks.{layer}.{}", self.site),
            None => write!(f, "{}", self.site),
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let pattern = Pattern::parse(name)?;
        match (pattern.layers, pattern.site) {
            (Layers::Some(range), SitePattern::One(site)) if range.start() == range.end() => {
                HookPoint::block(*range.start(), site)
            }
            (Layers::None, SitePattern::One(site)) => HookPoint::global(site),
            _ => Err(unknown(name)),
        }
    }
}

fn unknown(name: &str) -> Error {
    let sites: Vec<String> = Site::ALL.iter().map(|s| s.name().to_owned()).collect();
    // What is compared for "did you mean" is the site, the last part of the name.
    Error::UnknownPoint {
        name: name.to_owned(),
        sites: sites
            .into_iter()
            .map(|site| match name.rsplit_once('.') {
                Some((prefix, _)) if Site::from_name(&site).is_some_and(Site::in_block) => {
                    format!("{prefix}.{site}")
                }
                _ => site,
            })
            .collect(),
    }
}

/// The blocks that a part of a selector names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Layers {
    /// The site is not in a block.
    None,
    All,
    Some(RangeInclusive<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SitePattern {
    All,
    One(Site),
}

/// One part of a selector: `resid_post`, `blocks.3.resid_post`, `blocks.3-6.*`, `final_norm`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    layers: Layers,
    site: SitePattern,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self> {
        let (layers, site) = match text.strip_prefix("blocks.") {
            None => match text.strip_prefix("*.") {
                Some(site) => (Some("*"), site),
                None => (None, text),
            },
            Some(rest) => match rest.split_once('.') {
                Some((layers, site)) => (Some(layers), site),
                None => return Err(unknown(text)),
            },
        };
        let site = match site {
            "*" => SitePattern::All,
            name => SitePattern::One(Site::from_name(name).ok_or_else(|| unknown(text))?),
        };
        let layers = match (layers, site) {
            (Some(layers), _) => parse_layers(layers).ok_or_else(|| unknown(text))?,
            (None, SitePattern::One(site)) if !site.in_block() => Layers::None,
            (None, _) => Layers::All,
        };
        match (&layers, site) {
            (Layers::All | Layers::Some(_), SitePattern::One(site)) if !site.in_block() => {
                Err(unknown(text))
            }
            _ => Ok(Pattern { layers, site }),
        }
    }

    fn matches(&self, point: HookPoint) -> bool {
        let site = match self.site {
            SitePattern::All => true,
            SitePattern::One(site) => site == point.site,
        };
        let layer = match (&self.layers, point.layer) {
            (Layers::None, None) => true,
            // A bare `*` means every point, those outside the blocks too.
            (Layers::All, None) => self.site == SitePattern::All,
            (Layers::All, Some(_)) => true,
            (Layers::Some(range), Some(layer)) => range.contains(&layer),
            _ => false,
        };
        site && layer
    }
}

fn parse_layers(text: &str) -> Option<Layers> {
    if text == "*" {
        return Some(Layers::All);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(Layers::Some(first..=last))
}

/// A set of hook points in order of depth, without repeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HookSet(Vec<HookPoint>);

impl HookSet {
    /// The set of these points.
    pub fn new(points: impl IntoIterator<Item = HookPoint>) -> Self {
        let mut points: Vec<_> = points.into_iter().collect();
        points.sort();
        points.dedup();
        Self(points)
    }

    /// The points among `available` that a selector names: parts separated by commas, each a site (`resid_post`, in all
    /// blocks), a point (`blocks.3.resid_post`, `final_norm`), with ranges and stars (`blocks.3-6.attn_out`, `blocks.*.attn_z`,
    /// `*`).
    ///
    /// # Errors
    /// [`Error::UnknownPoint`] for a name that no model has, [`Error::NoSuchPoint`] for one that this model lacks.
    pub fn select(selector: &str, available: &[HookPoint]) -> Result<Self> {
        let mut chosen = Vec::new();
        for part in selector.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let pattern = Pattern::parse(part)?;
            let before = chosen.len();
            chosen.extend(available.iter().copied().filter(|p| pattern.matches(*p)));
            let out_of_range = match pattern.layers {
                Layers::Some(range) => *range.end() >= layer_count(available),
                _ => false,
            };
            if chosen.len() == before || out_of_range {
                return Err(Error::NoSuchPoint {
                    point: part.to_owned(),
                    reason: absence(out_of_range, available),
                });
            }
        }
        if chosen.is_empty() {
            return Err(unknown(selector));
        }
        Ok(Self::new(chosen))
    }

    /// The points, in order of depth.
    pub fn points(&self) -> &[HookPoint] {
        &self.0
    }

    /// Whether the set holds this point.
    pub fn contains(&self, point: HookPoint) -> bool {
        self.0.binary_search(&point).is_ok()
    }

    /// How deep the model must run to reach all of them.
    pub fn depth(&self) -> Depth {
        self.0
            .iter()
            .map(|p| p.depth())
            .max()
            .unwrap_or(Depth::Embed)
    }
}

fn layer_count(available: &[HookPoint]) -> usize {
    available
        .iter()
        .filter_map(|p| p.layer)
        .max()
        .map_or(0, |l| l + 1)
}

fn absence(out_of_range: bool, available: &[HookPoint]) -> String {
    match layer_count(available) {
        n if out_of_range => format!("it has {n} blocks, numbered 0 to {}", n.saturating_sub(1)),
        _ => "its architecture has no such place".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(layers: usize) -> Vec<HookPoint> {
        let mut points: Vec<_> = Site::ALL
            .into_iter()
            .flat_map(|site| match site.in_block() {
                true => (0..layers).map(|l| HookPoint::at(Some(l), site)).collect(),
                false => vec![HookPoint::at(None, site)],
            })
            .collect();
        points.sort();
        points
    }

    fn names(selector: &str) -> Vec<String> {
        let set = HookSet::select(selector, &all(4)).unwrap();
        set.points().iter().map(|p| p.to_string()).collect()
    }

    #[test]
    fn every_point_parses_back_from_its_name() {
        for point in all(12) {
            assert_eq!(point.to_string().parse::<HookPoint>().unwrap(), point);
        }
    }

    #[test]
    fn selectors_name_sites_ranges_and_stars() {
        assert_eq!(
            names("blocks.1-2.attn_out,final_norm"),
            ["blocks.1.attn_out", "blocks.2.attn_out", "final_norm"]
        );
        assert_eq!(names("resid_post").len(), 4);
        assert_eq!(names("blocks.*.attn_z"), names("attn_z"));
        assert_eq!(names("*.attn_z"), names("attn_z"));
        assert_eq!(names("blocks.3.*").len(), 13);
        assert_eq!(names("*").len(), all(4).len());
        assert_eq!(names("resid_post, blocks.0.resid_post").len(), 4);
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let message = |s: &str| HookSet::select(s, &all(4)).unwrap_err().to_string();
        assert!(
            message("blocks.3.resid_pots").contains("did you mean `blocks.3.resid_post`?"),
            "{}",
            message("blocks.3.resid_pots")
        );
        assert!(message("final_nrom").contains("did you mean `final_norm`?"));
        assert!(message("blocks.2-9.mlp_out").contains("it has 4 blocks, numbered 0 to 3"));
        assert!(message("").contains("is not a hook point"));
        assert!(message("blocks.3").contains("is not a hook point"));
        assert!(message("blocks.0.final_norm").contains("is not a hook point"));
    }

    #[test]
    fn points_are_ordered_as_the_forward_pass_meets_them() {
        let points = all(2);
        let names: Vec<_> = points.iter().map(|p| p.to_string()).collect();
        assert_eq!(names.first().unwrap(), "embed");
        assert_eq!(names.last().unwrap(), "logits");
        let at = |n: &str| names.iter().position(|x| x == n).unwrap();
        assert!(at("blocks.0.resid_post") < at("blocks.1.resid_pre"));
        assert!(at("blocks.1.resid_post") < at("final_norm"));
    }

    proptest! {
        #[test]
        fn no_selector_panics(text in "\\PC{0,40}") {
            let _ = HookSet::select(&text, &all(3));
            let _ = text.parse::<HookPoint>();
        }
    }
}
