//! Linear probes: can a linear map read this label from these activations, and how much of that is the probe's own doing?
//!
//! One convention for all kinds: the mean loss over the training rows plus `λ/2 · ‖W‖²`, on features standardised with the
//! statistics of the training rows, the intercept free. The loss of a row is the cross-entropy in nats (logistic) or half
//! the squared error (ridge). In scikit-learn's terms, after a `StandardScaler` fitted on the training rows,
//! `LogisticRegression(C = 1 / (n·λ))` and `Ridge(alpha = n·λ)` with `n` training rows.

mod adam;
mod audit;
mod ccs;
mod choose;
mod classify;
mod companions;
mod compare;
mod crossfit;
mod curve;
mod data;
mod direct;
mod frame;
mod gram;
mod held_out;
mod judge;
mod k_sparse;
mod labels;
mod lat;
mod lda;
mod line_search;
mod logistic;
mod loss;
mod mass_mean;
mod merged;
mod mlp;
mod near;
mod online;
mod params;
mod path;
mod readout;
mod real;
mod regress;
mod residuals;
mod result;
mod ridge;
mod rival;
mod scores;
mod shuffle;
mod solver;
mod standardize;
mod sums;
mod surface;
mod sweep;
mod table;
mod transfer;
mod ttpd;
mod type_majority;

pub use audit::{Audit, AuditInput, SharedColumn, SingleFeature, audit};
pub use companions::Companions;
pub use compare::{BandOfLayer, ChosenLayer, Comparison, SimultaneousBand, compare};
pub use crossfit::held_out_predictions;
pub use curve::{CurvePoint, learning_curve};
pub use data::Labels;
pub use labels::{LabelledRows, group_ids, labels_of, natural_kind, spelled};
pub use logistic::{FittedLogistic, Logistic, LogisticParams};
pub use params::{DEFAULT_GRID, DEFAULT_K, Kind, Lambda, SweepParams};
pub use readout::{Link, Readout};
pub use regress::coordinates;
pub use result::{Codelength, Controls, Gain, LayerResult, Metrics, Predictions, Rivals};
pub use ridge::{FittedRidge, Ridge, RidgeParams};
pub use rival::Rival;
pub use solver::{Convergence, Stop};
pub use standardize::Standardizer;
pub use sums::ClassSums;
pub use surface::{bag_of_words, length_features};
pub use sweep::{Probing, probe_layer, probe_layer_with};
pub use table::LayerRows;
pub use transfer::score_readout;
pub use type_majority::type_majority;

use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};

fn check_lambda(lambda: f64) -> Result<()> {
    if lambda > 0.0 && lambda.is_finite() {
        return Ok(());
    }
    Err(Error::BadParameter {
        name: "lambda",
        value: lambda.to_string(),
        problem: "the penalty must be above 0: without one, classes that can be separated have no best probe, and more \
                  features than rows have no unique one"
            .to_owned(),
    })
}

fn check_rows(x: &Matrix, labels: usize) -> Result<()> {
    let problem = match x.rows() {
        0 => "there are no rows to fit to",
        rows if rows != labels => "there must be one label for each row",
        _ => return Ok(()),
    };
    Err(Error::BadParameter {
        name: "labels",
        value: format!("{labels} labels for {} rows", x.rows()),
        problem: problem.to_owned(),
    })
}

#[cfg(test)]
mod kind_reference;
#[cfg(test)]
mod reference;
