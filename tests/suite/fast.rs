//! The kernels of inference against the reference: composed operations, which the goldens and gradients vouch for.

use crate::invariants::{everything, models, record, texts};
use crate::support::relative_error;
use plumb::hook::{HookPoint, NoHook, Recorder, Site, Stack, Tap};
use plumb::model::{Model, ops};
use plumb::text::batch::Batch;

/// A tap at the first block makes everything behind it track a graph, which takes it to the composed operations.
#[test]
fn kernels_agree_with_composed_operations_at_every_point_of_every_family() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 9, 40, 8)).unwrap();
        let fast = record(&model, &batch, everything(model.spec()));
        let mut tap = Tap::new(HookPoint::block(0, Site::ResidPre).unwrap());
        let mut reference = Recorder::new(everything(model.spec()));
        let mut whole = NoHook;
        let mut stack = Stack(vec![&mut tap, &mut reference, &mut whole]);
        model.forward(&batch, &mut stack).unwrap();
        for point in model.spec().points() {
            let calls = fast.calls(point).unwrap();
            let wanted = reference.calls(point).unwrap();
            assert_eq!(calls.len(), wanted.len(), "{name} {point}");
            for (call, wanted) in calls.iter().zip(wanted) {
                let masked = point.site() == Site::AttnScores;
                let (a, b) = match masked {
                    // -inf minus itself is no number.
                    true => (call.tensor.exp().unwrap(), wanted.tensor.exp().unwrap()),
                    false => (call.tensor.clone(), wanted.tensor.clone()),
                };
                let error = relative_error(&a, &b);
                assert!(error <= 1e-5, "{name} {point}: {error:.1e}");
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 12, 40, 9)).unwrap();
        let many = record(&model, &batch, everything(model.spec()));
        let one = ops::alone(|| record(&model, &batch, everything(model.spec())));
        for point in model.spec().points() {
            let calls = many.calls(point).unwrap().iter();
            for (many, one) in calls.zip(one.calls(point).unwrap()) {
                let bits = |x: &candle_core::Tensor| {
                    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    values.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
                };
                assert_eq!(bits(&many.tensor), bits(&one.tensor), "{name} {point}");
            }
        }
    }
}
