"""The run that gathers the stages of a dataset, which several recipes share."""

import hashlib
import json
from pathlib import Path

from lungpipe.services.tracking.reference import RunReference
from lungpipe.services.tracking.store import artifact_location, connect, ensure_store, tracking_uri
from lungpipe.services.tracking.study import DIGEST_TAG, _experiment, log_flat_params
from lungpipe.settings import StudySettings

RUN_NAME = "volumes"


def open_dataset_run(settings: StudySettings, out: Path) -> RunReference:
    """Find or create the run of dataset + preprocessing, create the store first, and write the reference to `out`."""
    if not settings.tracking.is_enabled:
        reference = RunReference()
    else:
        uri = tracking_uri(settings)
        ensure_store(uri)
        client = connect(uri)
        experiment = _experiment(client, settings.dataset.name, artifact_location(uri, settings))
        identity = settings.model_dump(mode="json", include={"dataset", "preprocessing"})
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        found = client.search_runs([experiment], f"tags.{DIGEST_TAG} = '{digest}'", max_results=1)
        run = found[0] if found else client.create_run(experiment, run_name=RUN_NAME, tags={DIGEST_TAG: digest})
        log_flat_params(client, run.info.run_id, identity)
        reference = RunReference(uri, experiment, run.info.run_id)
    reference.write(out)
    return reference
