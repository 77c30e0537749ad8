"""Why a coverage is off 95 %, where the reason was found."""


def reason(world: str, estimator: str, verdict: object) -> str:
    """Give the reason for a world and an estimator."""
    return "not explained"
