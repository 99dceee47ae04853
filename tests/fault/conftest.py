"""The shared suites of this folder explain their failed asserts like any test module."""

import pytest

pytest.register_assert_rewrite(
    "tests.fault.log_contract_groups",
    "tests.fault.log_contract_reading",
    "tests.fault.log_contract_tails",
    "tests.fault.log_contract_writing",
    "tests.fault.log_member",
)
