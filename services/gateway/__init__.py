"""The way into the shop. Thin: it routes, gathers and passes answers on; no rule of the business lives here."""
