"""The custom resources as values: pydantic models, names, offline checks. The CRD YAML is generated from here."""
