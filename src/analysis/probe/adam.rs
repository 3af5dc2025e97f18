//! Adam: gradient descent with a step of its own for each unknown (Kingma & Ba 2015).

/// Running means of the gradient and of its square.
#[derive(Debug)]
pub(super) struct Adam {
    rate: f64,
    step: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    /// A descent in `unknowns` dimensions.
    pub(super) fn new(unknowns: usize, rate: f64) -> Self {
        Self {
            rate,
            step: 0,
            mean: vec![0.0; unknowns],
            square: vec![0.0; unknowns],
        }
    }

    /// Moves `point` down the gradient. `decay` is the part of the rate that is left, for schedules.
    pub(super) fn step(&mut self, point: &mut [f64], gradient: &[f64], decay: f64) {
        const MEAN: f64 = 0.9;
        const SQUARE: f64 = 0.999;
        self.step += 1;
        let (mean_bias, square_bias) = (1.0 - MEAN.powi(self.step), 1.0 - SQUARE.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((x, g), (m, v)) in point.iter_mut().zip(gradient).zip(moments) {
            *m = MEAN * *m + (1.0 - MEAN) * g;
            *v = SQUARE * *v + (1.0 - SQUARE) * g * g;
            *x -= self.rate * decay * (*m / mean_bias) / ((*v / square_bias).sqrt() + 1e-8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bowl_of_very_different_slopes_is_descended() {
        let mut point = [3.0, -2.0];
        let mut adam = Adam::new(2, 0.1);
        for step in 0..500 {
            let gradient = [100.0 * point[0], 0.1 * (point[1] - 1.0)];
            adam.step(&mut point, &gradient, 1.0 - f64::from(step) / 500.0);
        }
        assert!(
            point[0].abs() < 1e-3 && (point[1] - 1.0).abs() < 1e-2,
            "{point:?}"
        );
    }
}
