"""What every layer may use: errors, progress, identifiers, logging. Imports nothing of ours."""
