import numpy as np

from tests.factories import make_descriptors, plant_copy


def test_a_planted_copy_is_similar_where_it_says_and_nowhere_else(rng):
    query, ref = make_descriptors("q", 40, rng), make_descriptors("r", 60, rng)

    planted = plant_copy(query, ref, query_frames=(8, 23), ref_frames=(20, 35), rng=rng)

    similarity_QR = planted.features @ ref.features.T
    copied = similarity_QR[np.arange(8, 23), np.arange(20, 35)]
    np.testing.assert_allclose(copied, 0.8, atol=1e-5)
    similarity_QR[np.arange(8, 23), np.arange(20, 35)] = 0.0
    assert similarity_QR.max() < 0.6


def test_a_copy_at_double_speed_takes_every_second_frame(rng):
    query, ref = make_descriptors("q", 10, rng), make_descriptors("r", 20, rng)

    planted = plant_copy(query, ref, query_frames=(0, 10), ref_frames=(0, 20), rng=rng)

    similarity_QR = planted.features @ ref.features.T
    assert similarity_QR.argmax(axis=1).tolist() == list(range(0, 20, 2))
