"""Hardware that is asked for, and what there is."""

from tunesmith import apply_fixes
from tunesmith.config.v1.job_configuration_pb2 import JobConfiguration
from tunesmith.pool.v1.pool_pb2 import DEVICE_KIND_CPU, DEVICE_KIND_CUDA
from tunesmith.preflight.v1.estimate_pb2 import BASIS_CLOSED_FORM, BASIS_PLAIN_LOOP
from tunesmith.preflight.v1.finding_pb2 import SEVERITY_NOTE, SEVERITY_WARNING

from tests.unit.services.preflight.known import CPU_POOL, GPU_POOL, PICO, codes, configuration, report, the


def on(**hardware: object) -> JobConfiguration:
    return configuration(hardware=hardware)


def test_a_gpu_that_no_pool_has_can_be_queued_for_or_left() -> None:
    made = on(gpu_type="H100", num_gpus=2)
    found = report(made, PICO, pools=[CPU_POOL])
    finding = the(found, "NO_SUCH_DEVICE")
    assert finding.severity == SEVERITY_WARNING
    assert "there are: a processor" in finding.message
    assert "queue the job anyway" in finding.message
    assert "NO_SUCH_DEVICE" not in codes(report(apply_fixes(made, [finding]), PICO, pools=[CPU_POOL]))
    # What it would take there is estimated all the same.
    assert (found.placement.pool_id, found.placement.device_count) == ("", 2)
    assert found.memory.basis == BASIS_PLAIN_LOOP


def test_a_gpu_that_a_pool_has_under_a_longer_name() -> None:
    found = report(on(gpu_type="A100"), PICO, pools=[CPU_POOL, GPU_POOL])
    assert "NO_SUCH_DEVICE" not in codes(found)
    assert found.placement.pool_id == "gpus"
    assert found.memory.basis == BASIS_CLOSED_FORM


def test_a_name_that_nobody_knows_is_corrected() -> None:
    finding = the(report(on(gpu_type="RTX 4099"), PICO), "GPU_TYPE_UNKNOWN")
    assert finding.severity == SEVERITY_WARNING
    assert "did you mean NVIDIA GeForce RTX 4090" in finding.message
    assert finding.fix.edits[0].value.string_value.startswith("NVIDIA GeForce RTX 4090")


def test_gpus_where_there_are_none() -> None:
    finding = the(report(on(num_gpus=1), PICO, pools=[CPU_POOL]), "NO_SUCH_DEVICE")
    assert finding.field_path == "hardware.num_gpus"
    assert "NO_SUCH_DEVICE" not in codes(report(on(num_gpus=1), PICO, pools=[GPU_POOL]))


def test_more_gpus_than_any_pool_has() -> None:
    has = sum(device.kind == DEVICE_KIND_CUDA for device in GPU_POOL.devices)
    finding = the(report(on(num_gpus=has + 1), PICO, pools=[CPU_POOL, GPU_POOL]), "NO_SUCH_DEVICE")
    assert (finding.field_path, finding.severity) == ("hardware.num_gpus", SEVERITY_WARNING)
    assert f"no pool has more than {has} of them" in finding.message
    assert "it waits for a pool that has it" in finding.message


def test_a_share_of_a_gpu_where_there_is_none() -> None:
    finding = the(report(on(gpu_share=0.5), PICO, pools=[CPU_POOL]), "NO_SUCH_DEVICE")
    assert finding.field_path == "hardware.gpu_share"


def test_a_job_without_a_gpu_is_placed_on_a_processor() -> None:
    found = report(on(num_gpus=0), PICO, pools=[CPU_POOL, GPU_POOL])
    assert found.placement.device.kind == DEVICE_KIND_CPU
    assert "NO_SUCH_DEVICE" not in codes(found)


def test_several_processes_are_counted_in_the_placement() -> None:
    assert report(on(num_processes=2), PICO, pools=[CPU_POOL]).placement.device_count == 2


def test_without_a_pool_a_job_waits() -> None:
    found = report(configuration(), PICO, pools=[])
    assert the(found, "NO_POOL").severity == SEVERITY_NOTE
    assert found.ok
    assert not found.HasField("placement")
    assert found.memory.peak_bytes > 0
    assert not found.memory.HasField("device_bytes")


def test_the_best_pool_is_the_ready_one_with_a_gpu() -> None:
    assert report(configuration(), PICO, pools=[CPU_POOL, GPU_POOL]).placement.pool_id == "gpus"
