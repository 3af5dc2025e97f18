//! The index against exact search, its certificate, and its bytes.

use super::super::exact::nearest;
use super::super::{Correction, Metric, Rows, Space};
use super::*;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Rows in clusters, as activations are.
fn clustered(n: usize, d: usize, seed: u64) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let centers: Vec<f32> = (0..20 * d)
        .map(|_| rng.random_range(-1.0f32..1.0))
        .collect();
    let mut data = Vec::with_capacity(n * d);
    for row in 0..n {
        let center = &centers[(row % 20) * d..][..d];
        data.extend(center.iter().map(|c| c + rng.random_range(-0.3f32..0.3)));
    }
    Rows::new(d, data).unwrap()
}

fn space(n: usize, metric: Metric) -> Space {
    Space::new(&clustered(n, 24, 1), metric, Correction::None, 0).unwrap()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(work)
}

#[test]
fn it_finds_what_exact_search_finds_and_every_row_finds_itself() {
    for metric in [Metric::Cosine, Metric::Euclid] {
        let space = space(3000, metric);
        let index = Hnsw::build(&space, Params::default()).unwrap();
        let certificate = index.certify(&space, Demand::default()).unwrap();
        assert!(certificate.holds(), "{certificate:?}");
        assert!(certificate.recall_low <= certificate.recall);
        assert_eq!((certificate.lost, certificate.rows), (0, 3000));
        let queries: Vec<Query> = (0..50)
            .map(|i| space.query(clustered(50, 24, 9).row(i)).unwrap())
            .collect();
        let exact = nearest(&space, &queries, 5, &[]).unwrap();
        let found = index.nearest(&space, &queries, 5, 400).unwrap();
        let same = exact.iter().zip(&found).filter(|(a, b)| a == b).count();
        assert!(same >= 48, "{metric:?}: {same} of 50");
    }
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let space = space(1500, Metric::Cosine);
    let bytes = |threads| {
        on_threads(threads, || {
            let index = Hnsw::build(&space, Params::default()).unwrap();
            let certificate = index.certify(&space, Demand::default()).unwrap();
            index.to_bytes("x", &certificate)
        })
    };
    assert!(bytes(1) == bytes(3));
}

#[test]
fn a_demand_that_cannot_be_met_is_said_not_to_be() {
    let space = space(800, Metric::Euclid);
    let params = Params {
        m: 2,
        ef_construction: 2,
        seed: 0,
    };
    let index = Hnsw::build(&space, params).unwrap();
    let demand = Demand {
        min_recall: 1.01,
        ..Demand::default()
    };
    assert!(!index.certify(&space, demand).unwrap().holds());
}

#[test]
fn what_is_no_distance_has_no_index() {
    let rows = clustered(50, 24, 1);
    let dot = Space::new(&rows, Metric::Dot, Correction::None, 0).unwrap();
    let csls = Space::new(&rows, Metric::Cosine, Correction::Csls, 0).unwrap();
    assert!(Hnsw::build(&dot, Params::default()).is_err());
    assert!(Hnsw::build(&csls, Params::default()).is_err());
    let euclid = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
    let wide = Params {
        m: 1,
        ..Params::default()
    };
    assert!(Hnsw::build(&euclid, wide).is_err());
}

#[test]
fn few_rows_are_no_special_case() {
    for n in [1, 2, 3, 17] {
        let space = space(n, Metric::Euclid);
        let index = Hnsw::build(&space, Params::default()).unwrap();
        let certificate = index.certify(&space, Demand::default()).unwrap();
        assert!(certificate.holds(), "{n}: {certificate:?}");
        let found = index.nearest(&space, &[space.row_query(0)], 5, 32).unwrap();
        assert_eq!(found[0].len(), n.min(5));
        assert_eq!(found[0][0].row, 0);
    }
}

fn written(space: &Space) -> (Hnsw, Vec<u8>) {
    let index = Hnsw::build(space, Params::default()).unwrap();
    let certificate = index.certify(space, Demand::default()).unwrap();
    let bytes = index.to_bytes("run at final_norm", &certificate);
    (index, bytes)
}

#[test]
fn it_is_the_same_when_it_is_read_back() {
    let space = space(300, Metric::Cosine);
    let (index, bytes) = written(&space);
    let (read, certificate) = Hnsw::from_bytes(&bytes, "run at final_norm", &space).unwrap();
    assert_eq!(read.graph, index.graph);
    assert_eq!(certificate.rows, 300);
    let other = Hnsw::from_bytes(&bytes, "run at embed", &space).unwrap_err();
    assert_eq!(other, "it is of other rows");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn hostile_bytes_are_refused(at in 0usize..100_000, value in any::<u8>(), cut in 0usize..64, honest in any::<bool>()) {
        use sha2::{Digest, Sha256};
        let space = space(60, Metric::Cosine);
        let (index, mut bytes) = written(&space);
        let end = bytes.len() - 32;
        let at = at % end;
        let same = bytes[at] == value && cut == 0;
        bytes[at] = value;
        bytes.truncate(end - cut);
        // With the checksum of an attacker, too.
        let checksum = match honest {
            true => [0u8; 32].to_vec(),
            false => Sha256::digest(&bytes).to_vec(),
        };
        bytes.extend(checksum);
        if let Ok((read, _)) = Hnsw::from_bytes(&bytes, "run at final_norm", &space) {
            prop_assert!(!honest);
            // Whatever it says, a search comes to an end and finds rows.
            let found = read.nearest(&space, &[space.row_query(7)], 3, 32).unwrap();
            prop_assert!(found[0].iter().all(|f| (f.row as usize) < 60));
        } else {
            prop_assert!(!same || honest);
        }
        let _ = index;
    }
}
