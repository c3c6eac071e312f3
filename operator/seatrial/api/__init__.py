"""The custom resources as values: pydantic models, their names and their offline checks. The CRD YAML is generated from here."""
