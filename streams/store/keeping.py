"""Whether a server keeps what it is given, by what it says of itself."""

from streams.store.errors import EvictingStore


def keeping_warnings(info: bytes, which: str) -> list[str]:
    """``info``: the sections memory and persistence of INFO; ``which`` begins the texts, such as "Redis".

    Raises `EvictingStore` where it may throw contacts away.
    """
    settings = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    policy = settings.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and settings.get("maxmemory", "0") != "0":
        raise EvictingStore(policy, which)
    warnings = []
    if policy != "noeviction":
        warnings.append(f"{which} has maxmemory-policy {policy}: with a maxmemory it would drop contacts")
    if settings.get("aof_enabled") == "0":
        warnings.append(
            f"{which} has no append-only file: state since its last snapshot is lost when it stops"
        )
    return warnings
