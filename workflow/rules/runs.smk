"""The beginning and the end of a run: its claim on the study, what killed runs left, and the runs in MLflow."""

import atexit

from snakemake.logging import logger

from lungpipe.services.claims import ClaimError, claim_study, clear_locks
from lungpipe.services.leftovers import remove_leftovers
from lungpipe.services.tracking.errors import TrackingError
from lungpipe.services.tracking.session import TrackingSession


def begin_run():
    """Claim the study, remove what killed jobs left, and open the runs that jobs log to.

    Runs are not opened by a rule: later jobs would be rerun or overlooked (decision 2).
    """
    try:
        CLAIMS.append(claim_study(Path(R)))
        if not LIVING and workflow.executor_plugin.common_settings.local_exec:
            remove_leftovers([Path(D)])
        TRACKING.open()
    except (ClaimError, TrackingError) as error:
        raise WorkflowError(str(error)) from None


def end_run(status):
    """End the runs and say where they are shown; records that could not be sent are kept for the next run."""
    if message := TRACKING.close(status):
        logger.error(message)
    if link := TRACKING.link():
        logger.info(link)


def release():
    """Release the claim, in case this process has one."""
    for claim in CLAIMS:
        claim.release()


def send_left():
    """Send the records of a killed run if no job is left: Snakemake then calls no handler.

    A living run of the study sends its records itself. It is named once more, below Snakemake's advice to remove locks.
    """
    is_run = workflow.is_main_process and workflow.executor_plugin is not None
    if not is_run or workflow.dryrun or workflow.touch:
        return
    if OTHER_RUNS and not CLAIMS:
        logger.error("\n".join(OTHER_RUNS))
    elif message := TRACKING.send_left():
        logger.error(message)


TRACKING = TrackingSession(STUDY, say=logger.warning)
CLAIMS = []
# a killed run leaves Snakemake's locks: they are removed unless a run lives in this folder
LIVING = clear_locks() if workflow.is_main_process else []
OTHER_RUNS = [
    f"{R}: expected no other run of this study, found {one.describe()}"
    for one in LIVING
    if one.study == str(Path(R).absolute())
]
for one in OTHER_RUNS:
    logger.warning(one)
atexit.register(release)
atexit.register(send_left)
