//! What is measured between an original and its edit, at one hook point.

use serde::{Serialize, Serializer};

/// One number of an original and its edit at one hook point. Vectors are pooled texts unless it says tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// 1 − cosine of the two vectors.
    CosineDistance,
    /// The same after the mean of the originals was taken off.
    CosineDistanceCenter,
    /// The same after each feature was also divided by its standard deviation over the originals.
    CosineDistanceStandardize,
    /// The same after the mean and the first max(1, d / 100) principal directions were taken off (Mu & Viswanath 2018).
    CosineDistanceAbtt,
    /// The length of the difference.
    EuclideanDistance,
    /// How much longer the edit's vector is, as a share of the original's length.
    NormChange,
    /// The angle between the two, in degrees.
    Rotation,
    /// The length of the difference in units of the originals' own spread: √(δᵀ Σ⁻¹ δ), Σ their covariance, shrunk (Ledoit & Wolf 2004).
    Mahalanobis,
    /// The share of the squared difference that lies along the originals' first principal components.
    PrincipalShare,
    /// Of the k nearest originals of the one, the share that are among the k nearest of the other (by cosine).
    NeighborOverlap,
    /// The mean over tokens that the edit left alone of 1 − cosine between the token in the one text and in the other.
    UnchangedCosineDistance,
    /// The mean over the same tokens of the length of the difference.
    UnchangedEuclideanDistance,
    /// How much the score of the probe rises; towards the edit's label, where pairs have labels.
    ProbeShift,
    /// The share of the squared difference that lies along the probe's direction; one of d random directions would get 1 / d.
    ProbeShare,
}

/// How many there are.
pub const MEASURES: usize = 14;

impl Measure {
    /// All of them, in the order of results.
    pub const ALL: [Measure; MEASURES] = [
        Measure::CosineDistance,
        Measure::CosineDistanceCenter,
        Measure::CosineDistanceStandardize,
        Measure::CosineDistanceAbtt,
        Measure::EuclideanDistance,
        Measure::NormChange,
        Measure::Rotation,
        Measure::Mahalanobis,
        Measure::PrincipalShare,
        Measure::NeighborOverlap,
        Measure::UnchangedCosineDistance,
        Measure::UnchangedEuclideanDistance,
        Measure::ProbeShift,
        Measure::ProbeShare,
    ];

    /// The cosine distance under each correction, without any first.
    pub const COSINES: [Measure; 4] = [
        Measure::CosineDistance,
        Measure::CosineDistanceCenter,
        Measure::CosineDistanceStandardize,
        Measure::CosineDistanceAbtt,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Measure::CosineDistance => "cosine_distance",
            Measure::CosineDistanceCenter => "cosine_distance_center",
            Measure::CosineDistanceStandardize => "cosine_distance_standardize",
            Measure::CosineDistanceAbtt => "cosine_distance_abtt",
            Measure::EuclideanDistance => "euclidean_distance",
            Measure::NormChange => "norm_change",
            Measure::Rotation => "rotation_degrees",
            Measure::Mahalanobis => "mahalanobis",
            Measure::PrincipalShare => "principal_share",
            Measure::NeighborOverlap => "neighbor_overlap",
            Measure::UnchangedCosineDistance => "unchanged_cosine_distance",
            Measure::UnchangedEuclideanDistance => "unchanged_euclidean_distance",
            Measure::ProbeShift => "probe_shift",
            Measure::ProbeShare => "probe_share",
        }
    }

    /// Where it stands among a text's numbers.
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// What it is where nothing moved; `None` where it is then not defined (a share of no movement).
    pub(super) fn of_nothing(self) -> Option<f32> {
        match self {
            Measure::PrincipalShare | Measure::ProbeShare => None,
            Measure::NeighborOverlap => Some(1.0),
            _ => Some(0.0),
        }
    }

    /// Whether it is a share between 0 and 1, whose margin is absolute.
    pub(super) fn is_share(self) -> bool {
        matches!(
            self,
            Measure::PrincipalShare | Measure::ProbeShare | Measure::NeighborOverlap
        )
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
