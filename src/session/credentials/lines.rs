//! On which line a place of a text is.

/// Where the lines of a text end, so that nothing is counted from its beginning for each place.
pub(in crate::session) struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    pub(in crate::session) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at);
        Lines { ends: ends.collect() }
    }

    /// The line of a byte, from 1 on.
    pub(in crate::session) fn at(&self, offset: usize) -> usize {
        self.ends.partition_point(|&end| end < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_newline() {
        let lines = Lines::of("ab\n\nc");
        let found: Vec<usize> = (0..7).map(|at| lines.at(at)).collect();
        assert_eq!(found, [1, 1, 1, 2, 3, 3, 3]);
        assert_eq!(Lines::of("").at(0), 1);
    }
}
