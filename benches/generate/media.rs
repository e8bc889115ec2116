//! Calls that run: SRTP through a relay and directly, with the little STUN and DTLS that real ones have.

use super::call::{Call, Route};
use super::options::Options;
use super::output::Output;
use super::random::Random;

const CALLS: u32 = 125;
/// Between two turns of one call.
const TURN_US: u64 = 20_000;
/// Between the starts of two calls.
const START_US: u64 = 20_000;

pub(crate) fn generate(options: &Options, output: &mut Output) {
    let number = options.flows.unwrap_or(CALLS);
    let mut relayed: Vec<Call> = (0..number).map(|call| Call::new(call, Route::Relayed, options.seed)).collect();
    let mut direct: Vec<Call> = (0..number).map(|call| Call::new(call, Route::Direct, options.seed)).collect();
    let mut random = Random::new(options.seed ^ 0x3ED1A);
    let mut started = 0;
    while !output.full() {
        let turn_ends = output.now_us + TURN_US;
        while started < number as usize && started as u64 * START_US <= output.now_us {
            started += 1;
        }
        for call in 0..started {
            relayed[call].tick(output);
            // Fewer packets go directly.
            if random.chance(28, 100) {
                direct[call].tick(output);
            }
        }
        output.now_us = output.now_us.max(turn_ends);
    }
}
