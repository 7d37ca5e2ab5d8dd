//! The conformance cases on the mock.

mod common;

mod native {
    redisai_testkit::conformance_tests!(crate::common::native(), crate::common::Mock);
}

mod loaded {
    redisai_testkit::conformance_tests!(crate::common::loaded(), crate::common::Mock);
}
